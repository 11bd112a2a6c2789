"""Signal that stays in the files of its records, against the same in memory."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_chrome.data import Dataset, Genes, load_genes, open_dataset
from keras_chrome.data.epigenomes import open_datasets
from keras_chrome.data.recorded_signal import RecordedSignal, as_opened, log_moments
from keras_chrome.errors import InputError
from keras_chrome.fit.loop import _epochs_of_batches, epoch_of_batches
from keras_chrome.fit.slopes import starting_slopes
from keras_chrome.models.task import CLASSIFICATION

MARKS = ("H3K9me3", "H3K27ac", "H3K4me3")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras_chrome.data.recorded_signal._CHUNK", 7)


@pytest.fixture(scope="module")
def several(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`remc/small`, and `remc/other` of fewer marks in another order."""
    builder = tfds.builder_from_directory(data_dir / "remc" / "small" / "1.0.0")
    path = tmp_path_factory.mktemp("several")
    shutil.copytree(data_dir / "remc" / "small", path / "remc" / "small")
    marks, rng = ("H3K4me3", "H3K27ac", "H3K27me3"), np.random.default_rng(0)
    examples = {}
    for split in builder.info.splits:
        of_split = [dict(e) for e in tfds.as_numpy(builder.as_dataset(split))]
        for example in of_split:
            example["signal"] = rng.poisson(5, (20, 3)).astype(np.float32)
        examples[split] = list(enumerate(of_split))
    features = dict(builder.info.features)
    features["signal"] = tfds.features.Tensor(shape=(20, 3), dtype=np.float32)
    tfds.dataset_builders.store_as_tfds_dataset(
        "remc",
        "1.0.0",
        tfds.features.FeaturesDict(features),
        examples,
        config="other",
        data_dir=path,
        disable_shuffling=True,
    )
    file = path / "remc" / "other" / "1.0.0" / "metadata.json"
    file.write_text(json.dumps({**builder.info.metadata, "marks": marks}))
    return path


def datasets(path: Path) -> list[Dataset]:
    return [
        open_dataset("remc/small", path),
        open_datasets("remc/small+other", path),
        open_datasets("remc/other+small", path, any_mark=True),
    ]


def both(dataset: Dataset, split: str, **options: Any) -> tuple[Genes, Genes]:
    return load_genes(dataset, split, **options), load_genes(dataset, split, stream=True, **options)


@pytest.mark.parametrize("split", ["train", "all"])
def test_it_reads_what_memory_holds(several: Path, split: str) -> None:
    for dataset in datasets(several):
        marks = [mark for mark in MARKS if mark in dataset.marks]
        for options in ({}, {"marks": marks}):
            memory, stream = both(dataset, split, **options)
            assert isinstance(stream.signal, RecordedSignal)
            assert stream.signal.shape == memory.signal.shape
            np.testing.assert_array_equal(np.asarray(stream.signal), memory.signal)
            np.testing.assert_array_equal(stream.gene_id, memory.gene_id)
            odd = np.arange(len(memory)) % 2 == 1
            halves = (memory.subset("odd", odd), stream.subset("odd", odd))
            np.testing.assert_array_equal(np.asarray(halves[1].signal), halves[0].signal)
            np.testing.assert_array_equal(stream.signal[-1], memory.signal[-1])


def test_files_of_a_split_are_told_apart(data_dir: Path, tmp_path: Path) -> None:
    """TFDS reads several files in turns, sixteen records of each."""
    source = data_dir / "remc" / "small" / "1.0.0"
    copy = Path(shutil.copytree(source, tmp_path / "remc" / "small" / "1.0.0"))
    records = [r.numpy() for r in tf.data.TFRecordDataset(str(copy / _shard(0, 1)))]
    (copy / _shard(0, 1)).unlink()
    sizes = (20, 1, len(records) - 21)
    for number, end in enumerate(np.cumsum(sizes)):
        with tf.io.TFRecordWriter(str(copy / _shard(number, 3))) as file:
            for record in records[end - sizes[number] : end]:
                file.write(record)
    info = copy / "dataset_info.json"
    lengths = ", ".join(f'"{size}"' for size in sizes)
    info.write_text(info.read_text().replace(f'"{len(records)}"', lengths, 1))
    memory, stream = both(open_dataset("remc/small", tmp_path), "train")
    assert len(stream.signal.files) == 3  # type: ignore[attr-defined]
    np.testing.assert_array_equal(np.asarray(stream.signal), memory.signal)
    np.testing.assert_array_equal(stream.gene_id, memory.gene_id)


def _shard(number: int, of: int) -> str:
    return f"remc-train.tfrecord-{number:05}-of-{of:05}"


def test_what_is_computed_of_it_is_the_same_bit_for_bit(several: Path) -> None:
    for dataset in datasets(several):
        memory, stream = both(dataset, "train")
        logarithm = np.log1p(memory.signal.astype(np.float64))
        for genes in (memory, stream):
            mean, variance = log_moments(genes.signal)
            assert mean.tobytes() == logarithm.mean(axis=(0, 1)).tobytes()
            assert variance.tobytes() == logarithm.var(axis=(0, 1)).tobytes()
        for transform in ("log1p", "none"):
            slopes = [
                starting_slopes(genes, transform, CLASSIFICATION) for genes in (memory, stream)
            ]
            assert slopes[0] == slopes[1]


def test_batches_are_the_same_bit_for_bit(several: Path) -> None:
    epoch = tf.Variable(0, dtype=tf.int64)
    for dataset in datasets(several):
        of_memory, of_stream, of_epochs = [], [], []
        for genes, found in zip(both(dataset, "train"), (of_memory, of_stream), strict=True):
            examples = (genes.signal, genes.label)
            for number in range(3):
                epoch.assign(number)
                found += [
                    (s.numpy(), y.numpy()) for s, y in epoch_of_batches(examples, 8, 3, epoch)
                ]
        steps = len(of_memory)
        batches = _epochs_of_batches(examples, 8, 3, range(1, 3)).take(steps // 3 * 2)
        of_epochs = [(s.numpy(), y.numpy()) for s, y in batches]
        for (signal, label), (other, other_label) in zip(of_memory, of_stream, strict=True):
            np.testing.assert_array_equal(signal, other)
            np.testing.assert_array_equal(label, other_label)
        for (signal, label), (other, other_label) in zip(
            of_memory[steps // 3 :], of_epochs, strict=True
        ):
            np.testing.assert_array_equal(signal, other)
            np.testing.assert_array_equal(label, other_label)


def test_broken_signal_is_named_with_its_gene(several: Path, alter: Any) -> None:
    def change(split: str, examples: list[dict[str, Any]]) -> None:
        signal = examples[12]["signal"].copy()
        signal[3, 1] = -2
        examples[12]["signal"] = signal

    path = alter(change)
    dataset = open_dataset("remc/altered", path)
    with pytest.raises(InputError) as of_memory:
        load_genes(dataset, "train")
    with pytest.raises(InputError) as of_stream:
        load_genes(dataset, "train", stream=True)
    assert str(of_stream.value) == str(of_memory.value)


def test_other_files_than_tfrecords_are_refused(data_dir: Path, tmp_path: Path) -> None:
    from tfds_remc import RemcBuilder, RemcConfig

    config = RemcConfig(
        name="small",
        source="simulated",
        marks=open_dataset("remc/small", data_dir).marks,
        num_genes=30,
        bin_bp=500,
    )
    RemcBuilder(config=config, data_dir=tmp_path, file_format="array_record").download_and_prepare()
    with pytest.raises(InputError, match=r"a dataset of TFRecords with --stream\. Received: "):
        load_genes(open_dataset("remc/small", tmp_path), "train", stream=True)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_that_was_written_to_since_is_told(
    data_dir: Path, tmp_path: Path, share: float
) -> None:
    shutil.copytree(data_dir / "remc" / "small", tmp_path / "remc" / "small")
    signal = load_genes(open_dataset("remc/small", tmp_path), "train", stream=True).signal
    (file,) = (tmp_path / "remc" / "small").rglob("*-train.tfrecord*")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    told = rf"{file.name} as .* was written to since"
    with pytest.raises(InputError, match=told), as_opened(signal):
        np.asarray(signal)


def test_a_record_too_many_is_refused(data_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(data_dir / "remc" / "small", tmp_path / "remc" / "small")
    (file,) = (tmp_path / "remc" / "small").rglob("*-train.tfrecord*")
    content = file.read_bytes()
    first = 16 + int.from_bytes(content[:8], "little")
    file.write_bytes(content + content[:first])
    for stream in (False, True):
        with pytest.raises(InputError):
            load_genes(open_dataset("remc/small", tmp_path), "train", stream=stream)
