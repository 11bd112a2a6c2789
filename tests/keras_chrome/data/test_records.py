"""Damaged files of a built dataset."""

import shutil
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from keras_chrome.data import load_genes, open_dataset
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


def test_a_shard_of_several_is_named(built: Path, tmp_path: Path) -> None:
    """A bit of the second of three."""
    builder = tfds.builder_from_directory(built)
    info = builder.info.splits["train"]
    records = (built / SHARD).read_bytes()
    shards, start = [], 0
    while start < len(records):
        end = start + 12 + int.from_bytes(records[start : start + 8], "little") + 4
        shards.append(records[start:end])
        start = end
    text = (built / "dataset_info.json").read_text()
    assert info.num_examples == len(shards)
    third = len(shards) // 3
    parts = [shards[:third], shards[third : 2 * third], shards[2 * third :]]
    lengths = ", ".join(f'"{len(part)}"' for part in parts)
    before, _, after = text.partition(f'"{len(shards)}"')
    (built / "dataset_info.json").write_text(before + lengths + after)
    (built / SHARD).unlink()
    names = [f"remc-train.tfrecord-0000{n}-of-00003" for n in range(3)]
    for name, part in zip(names, parts, strict=True):
        (built / name).write_bytes(b"".join(part))
    dataset = open_dataset("remc/small", built.parents[2])
    assert len(load_genes(dataset, "train")) == len(shards)
    content = bytearray((built / names[1]).read_bytes())
    content[500] ^= 1
    (built / names[1]).write_bytes(content)
    assert f"Received: {names[1]}, damaged" in refusal(built)
    (built / names[1]).unlink()
    assert f"in {', '.join(names)}. Received: {built}, without {names[1]}." in refusal(built)


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
