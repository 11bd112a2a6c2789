import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import simple_parsing
import tensorflow_datasets as tfds
from tensorflow_datasets.scripts.cli import build as tfds_cli

from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.__main__ import build
from tfds_remc.remc.epigenomes import EPIGENOMES
from tfds_remc.remc.errors import InputError

ROOT = Path(__file__).parents[2]
MARKS = ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"]

SMALL = '{"source": "simulated", "name": "small", "num_genes": 9}'

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


@pytest.fixture
def tfds_build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs what `tfds build` runs, in this process."""

    def run(*args: str | Path, cwd: Path) -> None:
        monkeypatch.chdir(cwd)
        simple_parsing.parse(tfds_cli.Args, args=[*map(str, args)]).execute()

    return run


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


def test_a_failed_build_leaves_nothing_half_written_and_keeps_what_was_built(
    tmp_path: Path, manual_dir: Path, e003: RemcBuilder
) -> None:
    places = {"data_dir": tmp_path / "data", "manual_dir": manual_dir}
    shutil.copytree(e003.data_path.parents[2], tmp_path / "data")
    with pytest.raises(ValueError, match=r"an archive of E003\. Build one of those"):
        build("E004", **places)
    files = [path for path in (tmp_path / "data" / "remc" / "E004").rglob("*") if path.is_file()]
    assert files == []
    assert RemcBuilder(config="E003", data_dir=tmp_path / "data").is_prepared()


def test_manual_dir_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"manual_dir to be a folder\. Received: manual_dir='.*no"):
        build("E003", data_dir=tmp_path / "data", manual_dir=tmp_path / "no")


def test_a_config_of_ones_own_under_the_name_of_a_ready_made_one(tmp_path: Path) -> None:
    for config in (
        RemcConfig(name="Toy", epigenome="E003"),
        RemcConfig(epigenome="E012"),
        RemcConfig(name="demo", source="simulated", num_genes=30),
    ):
        expected = rf"no ready-made dataset has\. Received: name='{config.name}'"
        with pytest.raises(InputError, match=expected):
            RemcBuilder(config=config, data_dir=tmp_path)
    toy = RemcBuilder.builder_configs["Toy"]
    assert RemcBuilder(config=toy, data_dir=tmp_path).builder_config is toy


def test_the_card_of_the_dataset() -> None:
    metadata = RemcBuilder.get_metadata()
    assert metadata.description.startswith("Histone-mark signal")
    assert "Attend and Predict" in metadata.citation
    assert set(metadata.tags) <= set(tfds.core.dataset_metadata.valid_tags())


@pytest.mark.parametrize("place", ["elsewhere", "root"])
def test_tfds_build_finds_it_by_its_import(
    tmp_path: Path, tfds_build: Callable[..., None], place: str
) -> None:
    options = ("--imports", "tfds_remc", "--config", SMALL, "--data_dir", tmp_path / "data")
    tfds_build("remc", *options, cwd=ROOT if place == "root" else tmp_path)
    assert (tmp_path / "data" / "remc" / "small" / "1.0.0" / "dataset_info.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["root", "elsewhere", "root and path"])
def test_the_command_tfds(tmp_path: Path, manual_dir: Path, place: str) -> None:
    """As a process: from the root it is found through the symlink, elsewhere by its import."""
    result = subprocess.run(
        [
            *(*TFDS, "build", "remc", "--config", "E003"),
            *("--manual_dir", str(manual_dir), "--data_dir", str(tmp_path / "data")),
            *([] if place == "root" else ["--imports", "tfds_remc"]),
        ],
        cwd=tmp_path if place == "elsewhere" else ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
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


def test_tfds_build_options(tmp_path: Path, tfds_build: Callable[..., None]) -> None:
    """From the root, where it is found through the symlink."""
    common = ("remc", "--config", SMALL, "--data_dir", tmp_path)
    tfds_build(*common, "--file_format", "array_record", "--max_examples_per_split", "2", cwd=ROOT)
    info = json.loads((tmp_path / "remc" / "small" / "1.0.0" / "dataset_info.json").read_text())
    assert info["fileFormat"] == "array_record"
    assert [split["shardLengths"] for split in info["splits"]] == [["2"], ["2"], ["2"]]

    tfds_build(*common, "--overwrite", cwd=ROOT)
    info = json.loads((tmp_path / "remc" / "small" / "1.0.0" / "dataset_info.json").read_text())
    assert info["fileFormat"] == "tfrecord"
    assert [split["shardLengths"] for split in info["splits"]] == [["3"], ["3"], ["3"]]


def test_tfds_build_of_own_reads(tmp_path: Path, tfds_build: Callable[..., None]) -> None:
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
    tfds_build("remc", *options, "--config", config, cwd=tmp_path)
    (example,) = tfds.as_numpy(
        tfds.builder_from_directory(tmp_path / "data/remc/K562/1.0.0").as_dataset(split="valid")
    )
    assert example["gene_id"] == b"ENSG00000000419"
    assert example["signal"].tolist() == [[0], [0], [1], [0]]


def test_tfds_build_without_a_config_builds_up_to_the_first_that_is_missing(
    tmp_path: Path, manual_dir: Path, tfds_build: Callable[..., None]
) -> None:
    options = ("--manual_dir", manual_dir, "--data_dir", tmp_path / "data")
    with pytest.raises(ValueError, match=r"Received: an archive of E003\. Build one of those"):
        tfds_build("remc", *options, cwd=ROOT)
    for config in ("demo", "E003"):
        assert RemcBuilder(config=config, data_dir=tmp_path / "data").is_prepared()
