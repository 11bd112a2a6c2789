"""The published labels against the rules that may have made them."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds

from keras_chrome.audit_labels import (
    LabelAudit,
    audit_genes,
    audit_labels,
    best_threshold,
    candidate_rules,
    decimal_rpkm,
    main,
    summary,
)
from keras_chrome.errors import InputError


class Gene(NamedTuple):
    split: str
    rpkm: float | None
    published: int


# The published labels compare text: '10.2' < '120.0' < '3.45' < '3.5' < '36.0' < '4.0'.
GENES = {
    "ENSG00000000001": Gene("train", 10.2, 0),
    "ENSG00000000002": Gene("train", 4.0, 1),
    "ENSG00000000003": Gene("train", 0.5, 0),
    "ENSG00000000004": Gene("valid", 3.5, 0),
    "ENSG00000000005": Gene("valid", 36.0, 1),
    "ENSG00000000006": Gene("test", 3.45, 0),
    "ENSG00000000007": Gene("test", 120.0, 0),
    "ENSG00000000008": Gene("test", None, 1),
}
# With these, which have no signal, the median is 3.5.
OTHER_GENES = {"ENSG00000000009": 0.0, "ENSG00000000010": 1.0}
RPKM_OF = {gene_id: gene.rpkm for gene_id, gene in GENES.items() if gene.rpkm} | OTHER_GENES


def build(folder: Path, rpkm_of: Mapping[str, float], file_format: str = "tfrecord") -> Path:
    """A data directory with `remc/hand`: `GENES` in two bins, with these RPKMs."""
    from tfds_remc import RemcBuilder, RemcConfig

    manual_dir = folder / "manual"
    csv_dir = manual_dir / "E003" / "classification"
    csv_dir.mkdir(parents=True)
    for split in ("train", "valid", "test"):
        rows = [
            f"{gene_id[-6:]},{bin_},1,2,3,4,5,{gene.published}\n"
            for gene_id, gene in GENES.items()
            if gene.split == split
            for bin_ in (1, 2)
        ]
        (csv_dir / f"{split}.csv").write_text("".join(rows))
    table = "gene_id\tE003\n" + "".join(
        f"{gene_id}\t{rpkm:.3f}\n" for gene_id, rpkm in rpkm_of.items()
    )
    (manual_dir / "57epigenomes.RPKM.pc.gz").write_bytes(gzip.compress(table.encode()))
    (manual_dir / "genes.tsv").write_text(
        "gene_id\tsymbol\tchrom\ttss\tstrand\n"
        + "".join(f"{gene_id}\tG{gene_id[-1]}\tchr1\t20000\t+\n" for gene_id in GENES)
    )
    config = RemcConfig(name="hand", epigenome="E003", bin_bp=5000)
    RemcBuilder(
        config=config, data_dir=folder / "data", file_format=file_format
    ).download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
    return folder / "data"


@pytest.fixture(scope="module")
def hand_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("hand"), RPKM_OF)


@pytest.fixture(scope="module")
def audit(hand_dir: Path) -> LabelAudit:
    return audit_labels("remc/hand", hand_dir)


def agreement(audit: LabelAudit) -> dict[str, int]:
    return dict(zip(audit.rules["rule"], audit.rules["num_agree"], strict=True))


def test_every_rule_is_compared_with_the_published_labels(audit: LabelAudit) -> None:
    assert audit.median_rpkm == 3.5
    assert (audit.rules["num_genes"] == 7).all()
    assert agreement(audit) == {
        "published": 7,
        "numeric": 5,
        "not_below": 4,
        "own_median": 4,  # > 4.0
        "own_mean": 5,  # > 25.4
        "above_1": 3,
        "best_number": 5,
        "string": 7,
        "best_string": 7,
    }
    np.testing.assert_allclose(audit.rules["agreement"], audit.rules["num_agree"] / 7)
    thresholds = audit.rules.set_index("rule")["high_if"]
    assert thresholds["own_mean"].startswith("rpkm > 25.379,")
    assert thresholds["string"] == "repr(rpkm) > '3.5', the median"


def test_positive_rate_of_each_split(audit: LabelAudit) -> None:
    rates = audit.rules.set_index("rule").filter(like="positive_rate_")
    assert list(rates.columns) == [f"positive_rate_{s}" for s in ("train", "valid", "test")]
    np.testing.assert_allclose(rates.loc["published"], [1 / 3, 1 / 2, 0])
    np.testing.assert_allclose(rates.loc["numeric"], [2 / 3, 1 / 2, 1 / 2])
    np.testing.assert_allclose(rates.loc["not_below"], [2 / 3, 1, 1 / 2])


def test_each_gene_has_its_labels(audit: LabelAudit) -> None:
    genes = audit.genes.set_index("gene_id")
    assert dict(genes["rpkm"]) == {g: gene.rpkm for g, gene in GENES.items() if gene.rpkm}
    assert dict(genes["split"]) == {g: gene.split for g, gene in GENES.items() if gene.rpkm}
    columns = ["symbol", "label_published", "numeric", "not_below", "string"]
    assert genes.loc["ENSG00000000001", columns].tolist() == ["G1", 0, 1, 1, 0]
    assert genes.loc["ENSG00000000004", columns].tolist() == ["G4", 0, 0, 1, 0]
    assert list(audit.differing_genes()["rpkm"]) == [120.0, 10.2]


def test_genes_that_cannot_be_compared_are_counted(audit: LabelAudit) -> None:
    assert (audit.num_without_label, audit.num_without_rpkm) == (0, 1)
    genes = audit.genes.assign(
        rpkm=[np.nan, np.nan, *audit.genes["rpkm"][2:]],
        label_published=[-1, *audit.genes["label_published"][1:]],
    )
    fewer = audit_genes(genes, dataset="remc/hand", median_rpkm=3.5)
    assert (fewer.num_without_label, fewer.num_without_rpkm) == (1, 1)
    assert len(fewer.genes) == 5


def test_array_record_reads_the_same_genes(audit: LabelAudit, tmp_path: Path) -> None:
    theirs = audit_labels("remc/hand", build(tmp_path, RPKM_OF, "array_record"))
    pd.testing.assert_frame_equal(
        theirs.genes.sort_values("gene_id", ignore_index=True),
        audit.genes.sort_values("gene_id", ignore_index=True),
    )


def test_best_threshold_is_the_lowest_of_those_that_agree_most() -> None:
    rpkm = np.array([1.0, 2.0, 2.0, 3.0])
    assert best_threshold(rpkm, np.array([False, False, True, True])) == 1.0
    assert best_threshold(rpkm, np.array([False, False, False, True])) == 2.0
    assert best_threshold(rpkm, np.zeros(4, bool)) == 3.0


def test_a_numpy_median_is_compared_as_its_number() -> None:
    # repr(np.float64(3.5)) is "np.float64(3.5)", above every number.
    rules = candidate_rules(np.array([4.0, 3.0]), np.float64(3.5), np.array([True, False]))
    assert {r.name: r.is_high.tolist() for r in rules}["string"] == [True, False]


def test_float32_gives_the_decimals_back() -> None:
    decimals = np.arange(0, 16_384_000, 37) / 1000
    np.testing.assert_array_equal(decimal_rpkm(decimals.astype(np.float32)), decimals)


def test_prints_tables_and_writes_them(
    hand_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    main(["--dataset", "remc/hand", "--data-dir", str(hand_dir), "--out", str(out)])
    printed = capsys.readouterr().out
    assert "left out: 0 genes without a published label, 1 without RPKM" in printed
    # The table is wider than a terminal, and goes on below.
    numeric = [line for line in printed.splitlines() if line.startswith("numeric")]
    assert [word for line in numeric for word in line.split()[1:]][-6:] == [
        "of",
        "7",
        "0.7143",
        "0.6667",
        "0.5000",
        "0.5000",
    ]
    assert "2 of 7 genes (28.6%)" in printed
    assert "2 above the median are published as low, 0 not above it as high" in printed
    examples = printed.split("furthest from it:")[1].split("\n\n")[1].splitlines()
    assert examples[1].split()[1:] == ["G7", "test", "120.0000", "3.5000", "0", "1"]
    assert len(examples) == 3
    audit = audit_labels("remc/hand", hand_dir)
    pd.testing.assert_frame_equal(pd.read_csv(out / "audit.csv"), audit.rules)
    pd.testing.assert_frame_equal(
        pd.read_csv(out / "genes.csv"), audit.genes.reset_index(drop=True)
    )


def test_split_without_genes_has_no_rate(audit: LabelAudit) -> None:
    train = audit.genes[audit.genes["split"] == "train"]
    rules = audit_genes(train, dataset="remc/hand", median_rpkm=3.5).rules
    assert rules["positive_rate_train"].notna().all()
    assert rules[["positive_rate_valid", "positive_rate_test"]].isna().all(axis=None)


def test_labels_that_need_no_correction(audit: LabelAudit) -> None:
    right = audit.genes.assign(label_published=audit.genes["numeric"])
    printed = summary(audit_genes(right, dataset="remc/hand", median_rpkm=3.5))
    assert printed.endswith("Every gene is labelled as by rpkm > median, as numbers.")


def test_dataset_without_published_labels(data_dir: Path) -> None:
    with pytest.raises(InputError, match=r"published labels.*'remc/small'.*none of 150 genes"):
        main(["--dataset", "remc/small", "--data-dir", str(data_dir)])


def test_dataset_without_rpkm(audit: LabelAudit) -> None:
    genes = audit.genes.assign(rpkm=np.float32("nan"))
    with pytest.raises(InputError, match=r"with RPKM.*'remc/hand'.*none of 7 labelled genes"):
        audit_genes(genes, dataset="remc/hand", median_rpkm=3.5)


@pytest.mark.real_data
def test_published_toy_labels_compare_text(real_data: Path, tmp_path: Path) -> None:
    from tfds_remc import RemcBuilder

    RemcBuilder(config="Toy", data_dir=tmp_path).download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=real_data / "remc")
    )
    audit = audit_labels("remc/Toy", tmp_path)
    agree = agreement(audit)
    assert (audit.median_rpkm, len(audit.genes)) == (3.329, 30)
    assert (agree["string"], agree["numeric"]) == (30, 24)
    assert len(audit.differing_genes()) == 6


@pytest.mark.real_data
def test_float32_keeps_every_comparison_of_the_real_table(real_data: Path) -> None:
    table = pd.read_csv(real_data / "remc" / "57epigenomes.RPKM.pc.gz", sep="\t", index_col=0)
    for epigenome in table.columns:
        rpkm = table[epigenome].to_numpy()
        published = np.zeros(len(rpkm), bool)
        stored = decimal_rpkm(rpkm.astype(np.float32))
        for ours, theirs in zip(
            candidate_rules(stored, np.median(rpkm), published),
            candidate_rules(rpkm, np.median(rpkm), published),
            strict=True,
        ):
            np.testing.assert_array_equal(ours.is_high, theirs.is_high, err_msg=ours.name)
