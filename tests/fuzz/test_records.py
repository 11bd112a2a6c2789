import functools
import shutil
import tempfile
from pathlib import Path

import pytest
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st

from keras_chrome.data import load_genes, open_dataset

NAMES = (
    "remc-train.tfrecord-00000-of-00001",
    "dataset_info.json",
    "features.json",
    "metadata.json",
)


@functools.cache
def files() -> dict[str, bytes]:
    """Those of a dataset of few genes."""
    from tfds_remc import RemcBuilder, RemcConfig

    config = RemcConfig(name="few", source="simulated", num_genes=12, bin_bp=5000)
    with tempfile.TemporaryDirectory() as folder:
        builder = RemcBuilder(config=config, data_dir=folder)
        builder.download_and_prepare()
        return {p.name: p.read_bytes() for p in Path(builder.data_dir).iterdir() if p.is_file()}


@pytest.fixture(autouse=True)
def _built() -> None:
    """Before an input is drawn: TFDS draws numbers of its own."""
    files()


def read(path: Path) -> object:
    return load_genes(open_dataset(str(path.parent)), "train")


def with_damage(name: str) -> st.SearchStrategy[tuple[str, bytes]]:
    return damaged(files()[name]).map(lambda content: (name, content))


@fuzz(st.sampled_from(NAMES).flatmap(with_damage), examples=30)
def test_any_damage(changed: tuple[str, bytes], tmp_path: Path) -> Outcome:
    folder = tmp_path / "1.0.0"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in (files() | dict([changed])).items():
        (folder / name).write_bytes(content)
    return check(read, folder / changed[0])


@pytest.mark.parametrize(
    ("known", "changed"),
    [
        (b'["H3K27me3"', b'["H3K27me3", "H3K27me3"'),
        (b'["H3K27me3", ', b"["),
        (b'["H3K27me3", "H3K36me3"', b'["H3K27me3", "H3K27me3"'),
        (b'"num_bins": 2', b'"num_bins": 3'),
        (b'"num_bins": 2', b'"num_bins": [2]'),
    ],
)
def test_metadata_of_another_signal(known: bytes, changed: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "1.0.0"
    folder.mkdir()
    for name, content in files().items():
        (folder / name).write_bytes(content)
    file = folder / "metadata.json"
    assert known in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(known, changed, 1))
    assert "build it again" in check(read, file).refusal
