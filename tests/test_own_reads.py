"""The whole way of one's own reads: sheet, dataset, fit, attend, export."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from export.run import export_run
from keras_chrome.attend import attend
from keras_chrome.fit import FitConfig, fit
from tfds_remc.__main__ import main

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

READ_BP = 36
HELD_OUT_MARK = "H3K27ac"


def covered_genes(real_data: Path, counts: dict[str, np.ndarray]) -> np.ndarray:
    """The rows of genes of whose regions every read is in the files."""
    with (real_data / "raw" / "windows.tsv").open() as lines:
        windows = [
            (row["chrom"], int(row["complete_from"]) + READ_BP, int(row["end"]))
            for row in csv.DictReader(lines, delimiter="\t")
        ]
    return np.array(
        [
            row
            for row, (chrom, tss) in enumerate(zip(counts["chrom"], counts["tss"], strict=True))
            if any(c == chrom and s <= tss - 5000 and tss + 5000 <= e for c, s, e in windows)
        ]
    )


@pytest.fixture(scope="module")
def counts(real_data: Path) -> dict[str, np.ndarray]:
    """Published counts of the covered genes: (genes, marks, bins)."""
    with np.load(real_data / "h3k27ac" / "E003_read_counts.npz") as file:
        arrays = {name: file[name] for name in file.files}
    rows = covered_genes(real_data, arrays)
    return {name: a if name == "marks" else a[rows] for name, a in arrays.items()}


@pytest.fixture(scope="module")
def own(
    real_data: Path, counts: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a sheet, the genes and their expression."""
    folder = tmp_path_factory.mktemp("own")
    sheet = ["epigenome,mark,path"]
    sheet += [f"H1,{m},{real_data}/raw/E003-{m}.tagAlign.gz" for m in counts["marks"]]
    genes, expression = ["gene_id\tchrom\ttss\tstrand"], ["gene_id\tH1"]
    for gene_id, chrom, tss, strand, rpkm in zip(
        *(counts[name] for name in ("gene_id", "chrom", "tss", "strand", "rpkm")), strict=True
    ):
        genes.append(f"{gene_id}\t{chrom}\t{tss}\t{strand}")
        expression.append(f"{gene_id}\t{rpkm}")
    for name, lines in (("sheet.csv", sheet), ("genes.tsv", genes), ("rpkm.tsv", expression)):
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def build(own: Path, *args: str) -> None:
    files = ("--genes", str(own / "genes.tsv"), "--expression", str(own / "rpkm.tsv"))
    sheet = ("--sample-sheet", str(own / "sheet.csv"))
    main([*sheet, *files, "--data-dir", str(own), "--genome", "hg19", *args])


def assert_published_counts(path: Path, counts: dict[str, np.ndarray], marks: list[str]) -> None:
    builder = tfds.builder_from_directory(path)
    signal = {
        example["gene_id"].decode(): example["signal"]
        for example in tfds.as_numpy(builder.as_dataset(split="train+valid+test"))
    }
    built = np.stack([signal.pop(gene_id) for gene_id in counts["gene_id"].tolist()])
    assert not signal
    assert built.size == 139 * 100 * len(marks)
    columns = [counts["marks"].tolist().index(mark) for mark in marks]
    np.testing.assert_array_equal(built, counts["counts"][:, columns].transpose(0, 2, 1))


def train_and_export(own: Path, dataset: str, marks: tuple[str, ...], folder: Path) -> None:
    """Fits a model, asks it for its attention and serves it from a SavedModel."""
    run = fit(FitConfig(dataset, str(folder / "run"), data_dir=str(own), marks=marks, epochs=1))
    attention = attend(run.path)
    assert attention["mark"].values.tolist() == list(marks)
    np.testing.assert_allclose(attention["alpha"].sum("bin"), 1.0, rtol=1e-4)
    served = tf.saved_model.load(export_run(run.path, folder / "models", "own"))
    shape = (3, attention.sizes["bin"], len(marks))
    answer = served.signatures["serving_default"](signal=tf.ones(shape))
    assert answer["probability"].shape == (3,)
    assert answer["alpha"].shape == (3, len(marks), shape[1])


def test_counts_are_the_published_ones_and_train_a_model(
    own: Path, counts: dict[str, np.ndarray], tmp_path: Path
) -> None:
    build(own)
    assert_published_counts(own / "remc" / "H1" / "1.0.0", counts, counts["marks"].tolist())

    marks = tuple(mark for mark in counts["marks"].tolist() if mark != HELD_OUT_MARK)
    train_and_export(own, "remc/H1", marks, tmp_path)


def test_roadmap_reads_from_manual_dir(
    real_data: Path, own: Path, counts: dict[str, np.ndarray], tmp_path: Path
) -> None:
    manual_dir = tmp_path / "manual"
    manual_dir.mkdir()
    marks = ["H3K27ac", "H3K4me3"]
    for path in (
        *(real_data / "raw" / f"E003-{mark}.tagAlign.gz" for mark in marks),
        real_data / "remc" / "57epigenomes.RPKM.pc.gz",
        own / "genes.tsv",
    ):
        (manual_dir / path.name).symlink_to(path)
    config = json.dumps({"source": "alignments", "epigenome": "E003", "marks": marks})
    places = ["--data_dir", str(tmp_path), "--manual_dir", str(manual_dir)]
    main(["--config", config, *places])
    assert_published_counts(tmp_path / "remc" / "E003_alignments" / "1.0.0", counts, marks)


def test_wider_regions_train_a_model(own: Path, tmp_path: Path) -> None:
    # Beyond the windows of the reads the signal is 0.
    build(own, "--flank-bp", "20000", "--bin-bp", "200", "--name", "wide")
    builder = tfds.builder_from_directory(own / "remc" / "wide" / "1.0.0")
    assert builder.info.features["signal"].shape == (200, 7)
    train_and_export(own, "remc/wide", ("H3K4me3", "H3K36me3"), tmp_path)
