import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.remc import simulation
from tfds_remc.remc.epigenomes import EPIGENOMES
from tfds_remc.remc.find_files import MissingFileError

ROOT = Path(__file__).parents[2]
MARKS = ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"]

# The command's own code, but not its entry point, which cannot be imported without apache-beam.
TFDS_BUILD = [
    sys.executable,
    "-c",
    "import sys, simple_parsing; from tensorflow_datasets.scripts.cli import build; "
    "simple_parsing.parse(build.Args, args=sys.argv[2:]).execute()",
]
TFDS = (
    [str(Path(sys.executable).with_name("tfds"))]
    if importlib.util.find_spec("apache_beam")
    else TFDS_BUILD
)


def build(
    data_dir: Path, manual_dir: Path | None, config: str | RemcConfig = "E003", **options: Any
) -> RemcBuilder:
    builder = RemcBuilder(config=config, data_dir=data_dir, **options)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=manual_dir)
    )
    return builder


def examples(builder: RemcBuilder, split: str) -> list[dict[str, Any]]:
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


def tfds_build(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TFDS, "build", *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def test_every_published_gene_becomes_an_example(
    tmp_path: Path, manual_dir: Path, golden_signal: Callable[[int], np.ndarray]
) -> None:
    builder = build(tmp_path / "data", manual_dir)
    train = {example["gene_id"].decode(): example for example in examples(builder, "train")}
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

    valid = {
        example["gene_id"].decode(): example["label"] for example in examples(builder, "valid")
    }
    assert valid == {"ENSG00000000457": 0, "ENSG00000000460": 1, "ENSG00000000938": 1}


def test_a_gene_that_stands_twice_gives_two_examples_and_one_without_rpkm_no_label(
    tmp_path: Path, manual_dir: Path
) -> None:
    builder = build(tmp_path / "data", manual_dir)
    test = examples(builder, "test")
    assert sorted(example["gene_id"] for example in test) == [
        b"ENSG00000000971",
        b"ENSG00000000971",
        b"ENSG00000001036",
    ]
    (unknown,) = (example for example in test if example["gene_id"] == b"ENSG00000001036")
    assert np.isnan(unknown["rpkm"])
    assert unknown["label"] == -1
    assert builder.info.metadata["genes_without_rpkm"] == {"train": 0, "valid": 0, "test": 1}


def test_metadata_survives_on_disk(tmp_path: Path, manual_dir: Path) -> None:
    build(tmp_path / "data", manual_dir)
    metadata = RemcBuilder(config="E003", data_dir=tmp_path / "data").info.metadata
    assert metadata["marks"] == MARKS
    assert (metadata["num_bins"], metadata["bin_bp"], metadata["flank_bp"]) == (100, 100, 5000)
    assert (metadata["genome"], metadata["epigenome"]) == ("hg19", "E003")
    assert metadata["chromosome_sizes"] == {"chr1": 249_250_621}
    assert metadata["median_rpkm"] == 3.0
    assert "compared as numbers" in metadata["label_rule"]
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
    builder = build(tmp_path / "data", manual_dir)
    published = builder.info.metadata["published_orientation"]
    assert published["direction"] == "against transcription"
    for example in examples(builder, "train"):
        assert example["oriented"]
        assert example["signal"][:50, MARKS.index("H3K36me3")].sum() == 0
        assert (example["signal"][50:, MARKS.index("H3K36me3")] == 9).all()

    kept = build(
        tmp_path / "data", manual_dir, RemcConfig(name="kept", epigenome="E003", oriented=False)
    )
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
    builder = build(tmp_path / "data", manual_dir, "Toy")
    assert builder.info.metadata["epigenome"] == "E003"
    assert builder.info.splits["train"].num_examples == 3


def test_the_configs_start_with_the_one_that_needs_no_file() -> None:
    names = [config.name for config in RemcBuilder.BUILDER_CONFIGS]
    assert names == ["demo", *EPIGENOMES, "Toy"]
    assert RemcBuilder.default_builder_config.name == "E003"


def test_unknown_epigenomes_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"one of demo, E003, E004, .*Toy\. Received: config='E999'"
    ):
        RemcBuilder(config="E999", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"one of E003, E004, .*Received: epigenome='E999'"):
        RemcConfig(name="mine", epigenome="E999")


def test_configs_that_cannot_be_built() -> None:
    with pytest.raises(ValueError, match=r"order H3K27me3, H3K36me3.*Received: marks=H3K9me3"):
        RemcConfig(name="mine", epigenome="E003", marks=tuple(reversed(MARKS)))
    with pytest.raises(ValueError, match=r"multiple of bin_bp\. Received: flank_bp=5000, bin_bp=3"):
        RemcConfig(name="mine", epigenome="E003", bin_bp=3)


def test_another_bin_count_than_the_archive_has(tmp_path: Path, manual_dir: Path) -> None:
    config = RemcConfig(name="mine", epigenome="E003", bin_bp=200)
    with pytest.raises(ValueError, match="Expected 50 rows for gene ENSG00000000003"):
        build(tmp_path / "data", manual_dir, config)


def test_a_failed_build_leaves_nothing_half_written_and_keeps_what_was_built(
    tmp_path: Path, manual_dir: Path
) -> None:
    build(tmp_path / "data", manual_dir)
    with pytest.raises(ValueError, match=r"an archive of E003\. Build one of those"):
        build(tmp_path / "data", manual_dir, "E004")
    files = [path for path in (tmp_path / "data" / "remc" / "E004").rglob("*") if path.is_file()]
    assert files == []
    assert RemcBuilder(config="E003", data_dir=tmp_path / "data").is_prepared()


def test_manual_dir_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"manual_dir to be a folder\. Received: manual_dir='.*no"):
        build(tmp_path / "data", tmp_path / "no")


@pytest.mark.timeout(120)
def test_offline_without_manual_dir_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy that nobody listens on keeps the test off the network, wherever it runs.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(MissingFileError, match=r"data\.tar\.gz in manual_dir or at https://zen"):
        build(tmp_path / "data", None)


def test_demo_is_the_simulation(tmp_path: Path) -> None:
    config = RemcConfig(
        name="small", source="simulated", marks=simulation.MARKS, num_genes=30, seed=7
    )
    builder = build(tmp_path / "data", None, config)
    simulated = simulation.simulate(30, seed=7)
    assert builder.info.features["signal"].shape == (100, 6)
    num_examples = 0
    for split in ("train", "valid", "test"):
        for example in examples(builder, split):
            (row,) = np.flatnonzero(simulated.gene_id == example["gene_id"].decode())
            assert simulated.split[row] == split
            np.testing.assert_array_equal(example["signal"], simulated.signal[row])
            np.testing.assert_array_equal(example["planted"], simulated.planted[row])
            assert example["label"] == (simulated.rpkm[row] > np.median(simulated.rpkm))
            assert example["label_published"] == -1
            assert not example["oriented"]
            num_examples += 1
    assert num_examples == 30
    metadata = builder.info.metadata
    assert (metadata["genome"], metadata["seed"]) == ("simulated", 7)
    assert metadata["marks"] == [*MARKS, "H3K27ac"]
    ends = {
        chrom: max(simulated.tss[simulated.chrom == chrom].tolist()) + 5000
        for chrom in simulated.chrom.tolist()
    }
    assert metadata["chromosome_sizes"] == ends


def test_demo_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    records = []
    for data_dir in (tmp_path / "first", tmp_path / "second"):
        builder = build(data_dir, None, "demo")
        assert sum(split.num_examples for split in builder.info.splits.values()) == 3000
        records.append(
            {path.name: path.read_bytes() for path in Path(builder.data_dir).glob("*.tfrecord*")}
        )
    assert len(records[0]) == 3
    assert records[0] == records[1]


def test_the_card_of_the_dataset() -> None:
    metadata = RemcBuilder.get_metadata()
    assert metadata.description.startswith("Histone-mark signal")
    assert "Attend and Predict" in metadata.citation
    assert set(metadata.tags) <= set(tfds.core.dataset_metadata.valid_tags())


@pytest.mark.parametrize("place", ["root", "elsewhere", "root and path"])
def test_tfds_build(tmp_path: Path, manual_dir: Path, place: str) -> None:
    """From the root it is found through the symlink, anywhere else by its import."""
    options = [] if place == "root" else ["--imports", "tfds_remc"]
    result = tfds_build(
        "remc",
        *options,
        *("--config", "E003", "--manual_dir", manual_dir, "--data_dir", tmp_path / "data"),
        cwd=tmp_path if place == "elsewhere" else ROOT,
    )
    assert result.returncode == 0, result.stderr
    assert RemcBuilder(config="E003", data_dir=tmp_path / "data").is_prepared()


def test_both_names_of_the_builder_live_in_one_process() -> None:
    for first, second in (("tfds_remc", "remc"), ("remc", "tfds_remc")):
        code = (
            f"import {first}, {second}, remc.remc_dataset_builder, tensorflow_datasets as tfds; "
            "print(tfds.builder_cls('remc').__module__)"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        assert result.stdout.strip() == "tfds_remc.remc.remc_dataset_builder", result.stderr


def test_tfds_build_options(tmp_path: Path, manual_dir: Path) -> None:
    common = ("remc", "--config", "E003", "--manual_dir", manual_dir, "--data_dir", tmp_path)
    capped = tfds_build(
        *common, "--file_format", "array_record", "--max_examples_per_split", "2", cwd=ROOT
    )
    assert capped.returncode == 0, capped.stderr
    info = json.loads((tmp_path / "remc" / "E003" / "1.0.0" / "dataset_info.json").read_text())
    assert info["fileFormat"] == "array_record"
    assert [split["shardLengths"] for split in info["splits"]] == [["2"], ["2"], ["2"]]

    again = tfds_build(*common, "--overwrite", cwd=ROOT)
    assert again.returncode == 0, again.stderr
    info = json.loads((tmp_path / "remc" / "E003" / "1.0.0" / "dataset_info.json").read_text())
    assert info["fileFormat"] == "tfrecord"
    assert [split["shardLengths"] for split in info["splits"]] == [["3"], ["3"], ["3"]]


def test_tfds_build_of_own_reads(tmp_path: Path) -> None:
    # In this order the genes' splits are train, valid and test.
    genes = {"ENSG00000000005": 1000, "ENSG00000000419": 5000, "ENSG00000000003": 9000}
    for name, lines in {
        "sheet.tsv": ["epigenome\tmark\tpath", "K562\tCTCF\treads.tagAlign"],
        "reads.tagAlign": [f"chr1\t{tss}\t{tss + 36}\tN\t1000\t+" for tss in genes.values()],
        "genes.tsv": ["gene_id\tchrom\ttss\tstrand"]
        + [f"{gene_id}\tchr1\t{tss}\t+" for gene_id, tss in genes.items()],
        "tpm.tsv": ["gene_id\tK562", *(f"{gene_id}\t{tss}" for gene_id, tss in genes.items())],
    }.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    files = {"sample_sheet": "sheet.tsv", "genes": "genes.tsv", "expression": "tpm.tsv"}
    config = json.dumps({**files, "unit": "TPM", "flank_bp": 200})
    options = ("--imports", "tfds_remc", "--data_dir", "data")
    result = tfds_build("remc", *options, "--config", config, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (example,) = tfds.as_numpy(
        tfds.builder_from_directory(tmp_path / "data/remc/K562/1.0.0").as_dataset(split="valid")
    )
    assert example["gene_id"] == b"ENSG00000000419"
    assert example["signal"].tolist() == [[0], [0], [1], [0]]


def test_tfds_build_without_a_config_builds_up_to_the_first_that_is_missing(
    tmp_path: Path, manual_dir: Path
) -> None:
    result = tfds_build(
        "remc", "--manual_dir", manual_dir, "--data_dir", tmp_path / "data", cwd=ROOT
    )
    assert result.returncode != 0
    assert "Received: an archive of E003. Build one of those" in result.stderr.splitlines()[-1]
    for config in ("demo", "E003"):
        assert RemcBuilder(config=config, data_dir=tmp_path / "data").is_prepared()


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
    builder = build(tmp_path, real_data / "remc", config)
    assert tuple(builder.info.splits[name].num_examples for name in ("train", "valid", "test")) == (
        sizes
    )
    assert builder.info.metadata["oriented"] is oriented
    assert builder.info.metadata["genes_without_rpkm"] == {"train": 0, "valid": 0, "test": 0}


@pytest.mark.real_data
def test_toy_labels(tmp_path: Path, real_data: Path) -> None:
    """The published labels of all 30 genes compare strings; for 24 the numbers agree."""
    builder = build(tmp_path, real_data / "remc", "Toy")
    median = builder.info.metadata["median_rpkm"]
    toy = [example for split in ("train", "valid", "test") for example in examples(builder, split)]
    assert sum(example["label"] == example["label_published"] for example in toy) == 24
    assert all(example["label"] == (example["rpkm"] > median) for example in toy)
    as_strings = [f"{example['rpkm']:.3f}".rstrip("0") > repr(median) for example in toy]
    assert as_strings == [example["label_published"] for example in toy]
