"""The paper's second claim on real data: importance against a mark that was not trained on."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds

from keras_chrome.compare import CompareConfig, compare
from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig, fit
from keras_chrome.runs import open_study
from keras_chrome.runs.validation_mark import read_validation_mark
from tfds_remc import RemcBuilder
from tfds_remc.__main__ import main as build_own_data

READ_BP = 36
# Genes of E003 whose whole region lies where the reads at hand are complete.
NUM_WHOLE = 42

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def run_path(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on E003; beside it the same epigenome's reads of seven marks, H3K27ac among them."""
    path = tmp_path_factory.mktemp("E003")
    manual = tfds.download.DownloadConfig(manual_dir=real_data / "remc")
    RemcBuilder(config="E003", data_dir=path).download_and_prepare(download_config=manual)
    counts = real_data / "h3k27ac" / "E003_read_counts.npz"
    own = ["--signal-array", str(counts), "--epigenome", "E003", "--name", "E003_reads"]
    build_own_data([*own, "--data-dir", str(path)])
    options = {"data_dir": str(path), "model": "cnn_alpha_beta", "epochs": 6}
    return fit(FitConfig("remc/E003", str(path / "run"), **options)).path


def test_h3k27ac_of_another_dataset_validates_e003(run_path: Path) -> None:
    methods = ("alpha", "gradient_x_input")
    config = CompareConfig(
        methods=methods,
        validation_dataset="remc/E003_reads",
        split="all",
        min_genes=20,
        num_untrained=2,
    )
    table = compare([run_path], config)
    assert table["epigenome"].unique().tolist() == ["E003"]
    # The 157 genes with reads, as far as they are predicted ON.
    assert 20 < table["num_genes"].max() <= 157
    pearson = table.query(
        "statistic == 'pearson' and level == 'profile' and network != 'untrained'"
    )
    pearson = pearson[pearson["form"].isin(["none", "linear_log"])]
    r = pearson.set_index(["method", "control"])["r"]
    # H3K27ac lies where H3K4me3 does: what the model adds must be held against that.
    assert r["signal", "none"] > 0.8
    assert np.isnan(r["signal", "signal"])
    assert r["gradient_x_input", "none"] > 0.5


def test_h3k27ac_of_roadmaps_own_reads_is_that_of_its_counts(
    run_path: Path, real_data: Path, tmp_path: Path
) -> None:
    """The recipe of docs/interpretation.md: the mark alone, under the name that Roadmap gives."""
    for path in (
        real_data / "raw" / "E003-H3K27ac.tagAlign.gz",
        real_data / "remc" / "57epigenomes.RPKM.pc.gz",
        real_data / "remc" / "genes.tsv",
    ):
        (tmp_path / path.name).symlink_to(path)
    config = json.dumps({"source": "alignments", "epigenome": "E003", "marks": ["H3K27ac"]})
    where = ["--manual_dir", str(tmp_path), "--data_dir", str(run_path.parent)]
    build_own_data(["--config", config, *where])
    study = open_study(run_path, split="all")
    counts, reads = (
        read_validation_mark(study, "H3K27ac", dataset=f"remc/E003_{name}")
        for name in ("reads", "alignments")
    )
    # Every gene of the published files is found again; near some are all reads at hand.
    assert reads.has_signal.all()
    windows = pd.read_csv(real_data / "raw" / "windows.tsv", sep="\t")
    is_whole = np.array(
        [
            (
                (windows["chrom"] == chrom)
                & (windows["complete_from"] + READ_BP <= tss - 5000)
                & (tss + 5000 <= windows["end"])
            ).any()
            for chrom, tss in zip(study.genes.chrom, study.genes.tss, strict=True)
        ]
    )
    is_known = counts.has_signal & is_whole
    assert is_known.sum() == NUM_WHOLE
    np.testing.assert_array_equal(reads.signal[is_known], counts.signal[is_known])
    assert reads.signal[is_known].sum() > 1000


def test_the_validation_mark_must_be_held_and_unseen(run_path: Path) -> None:
    with pytest.raises(InputError, match="--validation-dataset"):
        compare([run_path], CompareConfig(methods=("alpha",)))
    with pytest.raises(InputError, match="was not trained on"):
        compare([run_path], CompareConfig(methods=("alpha",), validation_mark="H3K9me3"))
