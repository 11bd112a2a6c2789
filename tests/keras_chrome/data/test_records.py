"""Damaged files of a built dataset."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_chrome.data import load_genes, open_dataset
from keras_chrome.data.records import open_builder, read_records
from keras_chrome.errors import InputError

SHARD = "remc-train.tfrecord-00000-of-00001"


@pytest.fixture
def built(data_dir: Path, tmp_path: Path) -> Path:
    """A copy of a version of `remc/small`."""
    return Path(shutil.copytree(data_dir / "remc" / "small", tmp_path / "remc" / "small") / "1.0.0")


def refusal(built: Path, split: str = "train") -> str:
    with pytest.raises(InputError) as error:
        load_genes(open_dataset("remc/small", built.parents[2]), split)
    message = str(error.value)
    assert message.isprintable()
    root = built.parents[2]
    assert message.endswith(
        f"Remove {built} and build it again: python -m tfds_remc --data-dir {root}, with --config "
        "small or the options of your own data"
    )
    return message


@pytest.mark.parametrize("at", [0, 9, 13, 1000, -3])
def test_a_flipped_bit(built: Path, at: int) -> None:
    content = bytearray((built / SHARD).read_bytes())
    content[at] ^= 4
    (built / SHARD).write_bytes(content)
    message = refusal(built)
    assert f"Received: {SHARD}, damaged or cut off (" in message
    assert len(load_genes(open_dataset("remc/small", built.parents[2]), "test")) == 50


def test_a_shard_that_is_cut_off(built: Path) -> None:
    whole = (built / SHARD).read_bytes()
    first = 12 + int.from_bytes(whole[:8], "little") + 4
    for size in (0, 5, first, len(whole) - 1):  # `first` is between two records
        (built / SHARD).write_bytes(whole[:size])
        assert f"Received: {SHARD}, damaged or cut off (" in refusal(built)


@pytest.fixture
def shards(built: Path) -> list[Path]:
    """Its training genes in three shards."""
    records, lengths, start = (built / SHARD).read_bytes(), [], 0
    while start < len(records):
        lengths.append(12 + int.from_bytes(records[start : start + 8], "little") + 4)
        start += lengths[-1]
    (built / SHARD).unlink()
    paths = [built / f"remc-train.tfrecord-0000{n}-of-00003" for n in range(3)]
    parts = [part.tolist() for part in np.array_split(lengths, 3)]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(records[: sum(part)])
        records = records[sum(part) :]
    counts = ", ".join(f'"{len(part)}"' for part in parts)
    text = (built / "dataset_info.json").read_text()
    before, _, after = text.partition(f'"{len(lengths)}"')
    (built / "dataset_info.json").write_text(before + counts + after)
    return paths


def test_a_shard_of_several_is_named(built: Path, shards: list[Path]) -> None:
    """A bit of the second of three."""
    content = bytearray(shards[1].read_bytes())
    content[500] ^= 1
    shards[1].write_bytes(content)
    assert f"Received: {shards[1].name}, damaged" in refusal(built)
    shards[1].unlink()
    names = ", ".join(path.name for path in shards)
    missing = f"in {names}. Received: {built}, without {shards[1].name}."
    assert missing in refusal(built)


def test_records_are_read_as_tfds_reads_them(built: Path, shards: list[Path]) -> None:
    builder = open_builder(built)
    for split in ("train", "test"):  # of three shards, and of one
        read = read_records(builder, split, built)
        batches = builder.as_dataset(split, batch_size=-1, shuffle_files=False)
        expected = tfds.as_numpy(batches)
        assert read.keys() == expected.keys()
        for name, column in expected.items():
            assert read[name].dtype == column.dtype, name
            np.testing.assert_array_equal(read[name], column, name)


def test_a_record_too_many(built: Path) -> None:
    records = (built / SHARD).read_bytes()
    first = 12 + int.from_bytes(records[:8], "little") + 4
    (built / SHARD).write_bytes(records + records[:first])
    assert f"Received: {SHARD}, damaged or cut off (" in refusal(built)


def test_a_shard_too_many(built: Path) -> None:
    shutil.copy(built / SHARD, built / "remc-train.tfrecord-00001-of-00002")
    assert "also with remc-train.tfrecord-00001-of-00002. " in refusal(built)


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json", "metadata.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\0", b'{"marks": 3}', b"9" * 5000])
def test_files_beside_the_records(built: Path, name: str, content: bytes) -> None:
    (built / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        load_genes(open_dataset("remc/small", built.parents[2]), "train")
    assert str(error.value).isprintable()
    assert str(built) in str(error.value)


def test_array_records(data_dir: Path, tmp_path: Path) -> None:
    from tfds_remc import RemcConfig
    from tfds_remc.__main__ import build

    config = RemcConfig(name="small", source="simulated", num_genes=30, bin_bp=1000)
    builder = build(config, data_dir=tmp_path, file_format="array_record")
    built = Path(builder.data_dir)
    (shard,) = built.glob("remc-train*")
    whole = shard.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-1], b"", whole.replace(b"H", b"I")):
        shard.write_bytes(content)
        assert f"Received: {shard.name}, damaged or cut off (" in refusal(built)
    shard.unlink()
    assert f"without {shard.name}" in refusal(built)
