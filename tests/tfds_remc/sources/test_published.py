"""The tiny REMC, as published."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.__main__ import build
from tfds_remc.remc import downloads
from tfds_remc.remc.find_files import MissingFileError

MARKS = ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"]


def examples(builder: RemcBuilder, split: str) -> list[dict[str, Any]]:
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


def test_every_published_gene_becomes_an_example(
    e003: RemcBuilder, golden_signal: Callable[[int], np.ndarray]
) -> None:
    train = {example["gene_id"].decode(): example for example in examples(e003, "train")}
    assert set(train) == {"ENSG00000000003", "ENSG00000000005", "ENSG00000000419"}
    example = train["ENSG00000000419"]
    np.testing.assert_array_equal(example.pop("signal"), golden_signal(419))
    assert example == {
        "gene_id": b"ENSG00000000419",
        "symbol": b"SYM2",
        "chrom": b"chr1",
        "tss": 30_000,
        "strand": b"",
        "rpkm": 2.0,
        "label": 0,
        "label_published": 0,
        "oriented": False,
    }
    assert [train[gene]["label_published"] for gene in sorted(train)] == [0, 1, 0]

    valid = {example["gene_id"].decode(): example["label"] for example in examples(e003, "valid")}
    assert valid == {"ENSG00000000457": 0, "ENSG00000000460": 1, "ENSG00000000938": 1}


def test_a_gene_that_stands_twice_gives_two_examples_and_one_without_rpkm_no_label(
    e003: RemcBuilder,
) -> None:
    test = examples(e003, "test")
    assert sorted(example["gene_id"] for example in test) == [
        b"ENSG00000000971",
        b"ENSG00000000971",
        b"ENSG00000001036",
    ]
    (unknown,) = (example for example in test if example["gene_id"] == b"ENSG00000001036")
    assert np.isnan(unknown["rpkm"])
    assert unknown["label"] == -1
    assert e003.info.metadata["genes_without_rpkm"] == {"train": 0, "valid": 0, "test": 1}


def test_metadata_survives_on_disk(e003: RemcBuilder) -> None:
    metadata = RemcBuilder(config="E003", data_dir=e003.data_path.parents[2]).info.metadata
    assert metadata["marks"] == MARKS
    assert (metadata["num_bins"], metadata["bin_bp"], metadata["flank_bp"]) == (100, 100, 5000)
    assert (metadata["genome"], metadata["epigenome"]) == ("hg19", "E003")
    assert metadata["chromosome_sizes"] == {"chr1": 249_250_621}
    assert metadata["median_rpkm"] == 3.0
    assert metadata["label_rule"] == (
        "high if rpkm > median_rpkm, the median of the epigenome over all genes of the RPKM table, "
        "compared as numbers; -1 where the gene has no rpkm"
    )
    assert metadata["unit"] == "RPKM"
    quality = json.loads((e003.data_path / "quality" / "quality.json").read_text())
    assert quality["overlap"] == {"num_test": 3, "num_shared": 0, "num_near": 0}
    assert quality["balance"]["num_high"] == {"train": 0, "valid": 2, "test": 2}
    assert quality["agreement"]["holds"] is None
    assert metadata["overlap_agreement"]["holds"] is None
    assert metadata["overlap_agreement"]["num_pairs"] == 0
    assert metadata["oriented"] is False
    assert metadata["published_orientation"]["decided_by"] == "assumed"
    assert list(metadata["provenance"]) == [
        "data.tar.gz:E003/classification/train.csv",
        "data.tar.gz:E003/classification/valid.csv",
        "data.tar.gz:E003/classification/test.csv",
        "57epigenomes.RPKM.pc.gz",
        "genes.tsv",
    ]
    for entry in metadata["provenance"].values():
        assert entry["bytes"] > 0
        assert len(entry["md5"]) == 32


def test_bins_that_run_against_transcription_are_reversed(
    tmp_path: Path,
    manual_dir: Path,
    write_archive: Callable[[Path, Mapping[str, bytes]], Path],
) -> None:
    def rows(gene: int) -> str:
        # The transcribed marks are on the left, on both strands; the count adds some variance.
        return "".join(
            f"{gene:06d},{i},0,{9 * (i <= 50)},0,{(gene % 11) * (i == 1)},0,1\n"
            for i in range(1, 101)
        )

    genes = {"train": (3, 5), "valid": (457, 460), "test": (938, 971)}
    write_archive(
        manual_dir / "data.tar.gz",
        {
            f"E003/classification/{split}.csv": "".join(map(rows, numbers)).encode()
            for split, numbers in genes.items()
        },
    )
    places = {"data_dir": tmp_path / "data", "manual_dir": manual_dir}
    builder = build("E003", **places)
    published = builder.info.metadata["published_orientation"]
    assert published["direction"] == "against transcription"
    for example in examples(builder, "train"):
        assert example["oriented"]
        assert example["signal"][:50, MARKS.index("H3K36me3")].sum() == 0
        assert (example["signal"][50:, MARKS.index("H3K36me3")] == 9).all()

    kept = build(RemcConfig(name="kept", epigenome="E003", oriented=False), **places)
    assert kept.info.metadata["published_orientation"]["decided_by"] == "configured"
    for example in examples(kept, "train"):
        assert not example["oriented"]
        assert (example["signal"][:50, MARKS.index("H3K36me3")] == 9).all()


def test_toy_takes_its_expression_from_e003(
    tmp_path: Path,
    manual_dir: Path,
    members: dict[str, bytes],
    write_archive: Callable[[Path, Mapping[str, bytes]], Path],
) -> None:
    toy = {name.replace("E003", "Toy"): text for name, text in members.items()}
    write_archive(manual_dir / "data.tar.gz", toy)
    builder = build("Toy", data_dir=tmp_path / "data", manual_dir=manual_dir)
    assert builder.info.metadata["epigenome"] == "E003"
    assert builder.info.splits["train"].num_examples == 3


def test_another_bin_count_than_the_archive_has(tmp_path: Path, manual_dir: Path) -> None:
    config = RemcConfig(name="mine", epigenome="E003", bin_bp=200)
    with pytest.raises(ValueError, match="Expected 50 rows for gene ENSG00000000003"):
        build(config, data_dir=tmp_path / "data", manual_dir=manual_dir)


@pytest.mark.timeout(120)
def test_offline_without_manual_dir_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy that nobody listens on keeps the test off the network, wherever it runs.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(downloads, "_ANSWER_WAITS_S", ())
    with pytest.raises(MissingFileError, match=r"data\.tar\.gz in manual_dir or at https://zen"):
        build("E003", data_dir=tmp_path / "data")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("config", "sizes", "oriented"),
    [
        ("Toy", (10, 10, 10), False),
        ("E003", (457, 53, 243), False),
        ("E123", (200, 200, 200), False),
        pytest.param("E012", (6517, 6462, 5442), True, marks=pytest.mark.slow),
    ],
)
def test_real_epigenomes_build(
    tmp_path: Path, real_data: Path, config: str, sizes: tuple[int, int, int], oriented: bool
) -> None:
    builder = build(config, data_dir=tmp_path, manual_dir=real_data / "remc")
    assert tuple(builder.info.splits[name].num_examples for name in ("train", "valid", "test")) == (
        sizes
    )
    assert builder.info.metadata["oriented"] is oriented
    assert builder.info.metadata["genes_without_rpkm"] == {"train": 0, "valid": 0, "test": 0}


@pytest.mark.real_data
def test_toy_labels(tmp_path: Path, real_data: Path) -> None:
    """The published labels of all 30 genes compare strings; for 24 the numbers agree."""
    builder = build("Toy", data_dir=tmp_path, manual_dir=real_data / "remc")
    median = builder.info.metadata["median_rpkm"]
    toy = [example for split in ("train", "valid", "test") for example in examples(builder, split)]
    assert sum(example["label"] == example["label_published"] for example in toy) == 24
    assert all(example["label"] == (example["rpkm"] > median) for example in toy)
    as_strings = [f"{example['rpkm']:.3f}".rstrip("0") > repr(median) for example in toy]
    assert as_strings == [example["label_published"] for example in toy]
