"""Reading built datasets."""

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_chrome.data import check_classes, load_genes, open_dataset, read_columns
from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig, fit


def test_describes_what_was_built(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    assert dataset.name == "remc/small"
    assert dataset.marks[3] == "H3K4me3"
    assert dataset.marks[5] == "H3K27ac"
    assert (dataset.num_bins, dataset.bin_bp, dataset.flank_bp) == (20, 500, 5000)
    assert dataset.description()["fingerprint"] == dataset.fingerprint()
    assert open_dataset(str(dataset.path)) == dataset


def test_the_fingerprint_is_of_every_byte_of_the_records(data_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(data_dir / "remc" / "small", tmp_path / "remc" / "small")
    dataset = open_dataset("remc/small", tmp_path)
    # As it has always been: runs of earlier versions are gone on with.
    digest = hashlib.sha256()
    files = sorted(folder.glob("*/*.tfrecord*"))
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    whole = dataset.fingerprint()
    assert whole == digest.hexdigest()
    seen = {whole}
    for file in files:
        content = file.read_bytes()
        for position in (0, len(content) // 2, len(content) - 1):
            altered = bytearray(content)
            altered[position] ^= 1
            file.write_bytes(altered)
            seen.add(dataset.fingerprint())
        file.write_bytes(content)
        assert dataset.fingerprint() == whole
    assert len(seen) == 1 + 3 * len(files) == 10


def test_signal_follows_the_order_of_the_marks_asked_for(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    everything = load_genes(dataset, "test", marks=dataset.marks)
    some = load_genes(dataset, "test", marks=("H3K27ac", "H3K27me3"))
    np.testing.assert_array_equal(some.signal, everything.signal[..., [5, 0]])
    assert some.signal.shape == (50, 20, 2)
    assert some.signal.dtype == np.float32


def test_a_dataset_names_its_epigenome(data_dir: Path) -> None:
    assert open_dataset("remc/small", data_dir).epigenome == "small"


COUNTS, DEPTH = np.float32([[0, 3]]), np.float32([[0, 0.36]])


@pytest.mark.parametrize(
    ("metadata", "signal", "unit"),
    [
        ({"source": "published"}, COUNTS, "reads"),
        ({"source": "published"}, DEPTH, "read depth"),
        ({"source": "simulated"}, COUNTS, "reads"),
        ({"source": "alignments"}, COUNTS, "reads"),
        ({"source": "alignments", "options": {"subtract_control": True}}, DEPTH, "reads"),
        ({"source": "alignments", "options": {"normalize": "cpm"}}, DEPTH, "CPM"),
        ({"source": "fold_change"}, DEPTH, "fold change"),
        ({"source": "p_value"}, DEPTH, "-log10 p"),
        ({"source": "signal_array"}, COUNTS, "signal"),
        ({"source": "sample_sheet", "files": ["a.BAM", "b.tagAlign.gz"]}, COUNTS, "reads"),
        ({"source": "sample_sheet", "files": ["a.bam", "b.bigWig"]}, DEPTH, "signal"),
        # A dataset that an early version built.
        ({}, COUNTS, "signal"),
    ],
)
def test_the_signal_has_a_unit(
    data_dir: Path, metadata: dict[str, Any], signal: np.ndarray, unit: str
) -> None:
    marks = ("H3K4me3", "H3K27ac")
    names = metadata.get("files", ("a.bam", "b.bam"))
    files = {mark: {"file": name} for mark, name in zip(marks, names, strict=True)}
    dataset = dataclasses.replace(
        open_dataset("remc/small", data_dir),
        marks=marks,
        metadata={**metadata, "provenance": files},
    )
    assert dataset.signal_unit(signal) == unit


def test_label_is_rpkm_above_the_median(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    genes = load_genes(dataset, "train")
    np.testing.assert_array_equal(
        genes.label, genes.rpkm > np.float32(dataset.metadata["median_rpkm"])
    )
    assert genes.gene_id[0].startswith("SIM")


def test_array_record_reads_the_same_genes(data_dir: Path, tmp_path: Path) -> None:
    from tfds_remc import RemcBuilder, RemcConfig

    dataset = open_dataset("remc/small", data_dir)
    config = RemcConfig(
        name="small",
        source="simulated",
        marks=dataset.marks,
        num_genes=150,
        bin_bp=500,
    )
    RemcBuilder(config=config, data_dir=tmp_path, file_format="array_record").download_and_prepare()
    ours = load_genes(open_dataset("remc/small", tmp_path), "valid")
    theirs = load_genes(dataset, "valid")
    order, their_order = np.argsort(ours.gene_id), np.argsort(theirs.gene_id)
    np.testing.assert_array_equal(ours.gene_id[order], theirs.gene_id[their_order])
    np.testing.assert_array_equal(ours.signal[order], theirs.signal[their_order])


def test_missing_dataset_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"python -m tfds_remc --config E012 --data-dir"):
        open_dataset("remc/E012", tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "remc/small",
        "small",
        "remc/small/",
        "Remc/SMALL",
        "remc/small/1.0.0",
        "{data_dir}/remc/small",
        "{data_dir}/remc/small/",
        "{data_dir}/remc/small/1.0.0",
        "{data_dir}/remc/small/1.0.0/",
    ],
)
def test_a_dataset_has_many_names(data_dir: Path, name: str) -> None:
    expected = open_dataset("remc/small", data_dir)
    assert open_dataset(name.format(data_dir=data_dir), data_dir) == expected


def test_a_folder_is_found_from_where_one_is(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(data_dir.parent)
    folder = f"{data_dir.name}/remc/small"
    assert open_dataset(folder, tmp_path).name == "remc/small"
    assert open_dataset("remc/small", data_dir.name).path == Path(folder, "1.0.0")


def test_the_newest_version_is_taken(data_dir: Path, tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0"):
        shutil.copytree(data_dir / "remc" / "small" / "1.0.0", tmp_path / "remc/small" / version)
    assert open_dataset("small", tmp_path).path.name == "1.10.0"
    assert open_dataset(str(tmp_path / "remc" / "small")).path.name == "1.10.0"


def test_an_unknown_dataset_lists_those_there_are(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(there are remc/small\)\. Received: dataset='E012'"):
        open_dataset("E012", data_dir)
    with pytest.raises(InputError, match=r"\(there is none\)\. Received: dataset='E012'"):
        open_dataset("E012", tmp_path)
    for name in (str(tmp_path), ".", "..", "/", "remc", "*", "remc/*"):
        with pytest.raises(InputError, match=re.escape(f"dataset={name!r}")):
            open_dataset(name, tmp_path)


def test_a_dataset_and_genes_are_one_short_line(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    assert repr(dataset) == "Dataset('remc/small', 6 marks x 20 bins)"
    assert repr(load_genes(dataset, "test")) == "Genes('test', 50 genes, signal of 20 x 6)"


def test_an_unknown_label_rule_lists_the_known(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    with pytest.raises(InputError, match=r"'median', 'published'.*labels='mean'"):
        load_genes(dataset, "test", labels="mean")
    assert len(load_genes(dataset, "test", labels="Median")) == 50


def test_another_dataset_is_refused(tmp_path: Path) -> None:
    with tfds.testing.tmp_dir(tmp_path):
        builder = tfds.testing.DummyDataset(data_dir=tmp_path)
        builder.download_and_prepare()
    with pytest.raises(InputError, match="built by tfds_remc, with marks"):
        open_dataset(str(builder.data_path))


def test_missing_mark_lists_those_there_are(data_dir: Path) -> None:
    with pytest.raises(InputError, match=r"H3K4me3, H3K9me3, H3K27ac.*marks=H2A\.Z"):
        load_genes(open_dataset("remc/small", data_dir), "test", marks=("H3K4me3", "H2A.Z"))


def test_unknown_split_lists_those_there_are(data_dir: Path) -> None:
    with pytest.raises(InputError, match=r"'test', 'train', 'valid'.*split='dev'"):
        load_genes(open_dataset("remc/small", data_dir), "dev")


def test_all_genes_are_those_of_the_splits_in_turn(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    every = load_genes(dataset)
    assert len(every) == 150
    valid = load_genes(dataset, "valid")
    np.testing.assert_array_equal(every.signal[50:100], valid.signal)
    np.testing.assert_array_equal(every.gene_id[50:100], valid.gene_id)


def test_a_subset_keeps_every_column(data_dir: Path) -> None:
    genes = load_genes(open_dataset("remc/small", data_dir), "test")
    first = genes.subset("valid", np.arange(50) < 3)
    assert (len(first), first.split) == (3, "valid")
    np.testing.assert_array_equal(first.signal, genes.signal[:3])
    np.testing.assert_array_equal(first.rpkm, genes.rpkm[:3])


def test_labels_that_the_dataset_lacks_are_refused(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    genes = load_genes(dataset, "test", labels="published")
    assert genes.num_unlabelled == 50
    with pytest.raises(InputError, match=r"both classes.*'published'.*none, and 50 without label"):
        check_classes(genes, dataset, "published")


def test_one_class_is_refused_and_the_split_named(data_dir: Path) -> None:
    dataset = open_dataset("remc/small", data_dir)
    genes = load_genes(dataset, "test")
    with pytest.raises(InputError, match=r"split 'test' of remc/small.*all labelled 1"):
        check_classes(genes.subset("test", genes.label == 1), dataset, "median")


def test_an_unknown_symbol_is_empty(alter: Callable[..., Path]) -> None:
    unknown = ["NA", "N/A", "-", ".", "nan", "NaN", ""]

    def change(split: str, examples: list[dict[str, Any]]) -> None:
        for example, symbol in zip(examples, unknown, strict=False):
            example["symbol"] = symbol.encode()

    genes = load_genes(open_dataset("remc/altered", alter(change)), "test")
    assert genes.symbol[:7].tolist() == [""] * 7
    assert (genes.symbol[7:] != "").all()
    assert genes.transcript_id.tolist() == [""] * 50


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, -np.inf])
def test_signal_that_is_no_number_from_zero_is_refused(
    alter: Callable[..., Path], value: float
) -> None:
    def change(split: str, examples: list[dict[str, Any]]) -> None:
        signal = examples[3]["signal"].copy()
        signal[7, 3] = signal[8, 3] = value
        examples[3]["signal"] = signal

    dataset = open_dataset("remc/altered", alter(change))
    gene_id = read_columns(dataset, "valid")["gene_id"][3]
    match = (
        f"of 0 or more, a finite number, in remc/altered. Received: {value:g} in bin 8 of H3K4me3 "
        f"at {gene_id}, and 1 more such bins.* instead of log2 ratios"
    )
    with pytest.raises(InputError, match=match):
        load_genes(dataset, "valid", marks=("H3K9me3", "H3K4me3"))
    # A mark that is not read stands in nobody's way.
    assert len(load_genes(dataset, "valid", marks=("H3K9me3",))) == 50


def test_no_model_is_fitted_to_such_signal(alter: Callable[..., Path], tmp_path: Path) -> None:
    def change(split: str, examples: list[dict[str, Any]]) -> None:
        examples[0]["signal"] = examples[0]["signal"] - 5

    data_dir = str(alter(change))
    for model in ("cnn_alpha_beta", "logistic_regression"):
        options = {"data_dir": data_dir, "model": model, "epochs": 1}
        with pytest.raises(InputError, match=r"finite number, in remc/altered\. Received: -"):
            fit(FitConfig("remc/altered", str(tmp_path / "run"), **options))
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("metadata", "unit"),
    [
        ({}, "RPKM"),
        ({"unit": "TPM"}, "TPM"),
        ({"options": {"unit": "FPKM"}}, "FPKM"),
        ({"unit": "counts", "options": {"unit": "FPKM"}}, "counts"),
        ({"unit": None, "options": None}, "RPKM"),
    ],
)
def test_expression_has_a_unit(data_dir: Path, metadata: dict[str, Any], unit: str) -> None:
    dataset = open_dataset("remc/small", data_dir)
    others = {k: v for k, v in dataset.metadata.items() if k not in ("unit", "options")}
    assert replace(dataset, metadata={**others, **metadata}).unit == unit


@pytest.mark.real_data
def test_real_splits_are_read_whole(real_data: Path, tmp_path: Path) -> None:
    from tfds_remc import RemcBuilder

    RemcBuilder(config="Toy", data_dir=tmp_path).download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=real_data / "remc")
    )
    dataset = open_dataset("remc/Toy", tmp_path)
    for split in ("train", "valid", "test"):
        genes = load_genes(dataset, split, labels="published")
        assert len(genes) == 10
        assert genes.num_unlabelled == 0
