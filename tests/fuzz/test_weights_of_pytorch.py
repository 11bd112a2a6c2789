"""A checkpoint of PyTorch, in either layout."""

import itertools
import math
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st
from written_checkpoints import dictionary, storage, tensor, write_legacy, write_zip

from keras_chrome.import_weights.attentive_chrome import attentive_chrome_arrays
from keras_chrome.import_weights.checkpoint import read_state_dict


def _shapes(module: str, num_inputs: int, units: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{module}.bin_attention.bin_context_vector": (2 * units, 1)
    }
    for end in ("", "_reverse"):
        shapes |= {
            f"{module}.rnn.weight_ih_l0{end}": (4 * units, num_inputs),
            f"{module}.rnn.weight_hh_l0{end}": (4 * units, units),
            f"{module}.rnn.bias_ih_l0{end}": (4 * units,),
            f"{module}.rnn.bias_hh_l0{end}": (4 * units,),
        }
    return shapes


SHAPES = {
    **_shapes("rnn_hms.0", 1, 1),
    **_shapes("hm_level_rnn_1", 2, 1),
    "fdiff1_1.weight": (1, 2),
    "fdiff1_1.bias": (1,),
}


@cache
def whole(is_zip: bool) -> bytes:
    """The smallest AttentiveChrome, of one mark and one unit."""
    tensors, storages = {}, {}
    for key, (name, shape) in zip(map(str, itertools.count()), SHAPES.items(), strict=False):
        size = math.prod(shape)
        storages[key] = np.linspace(0, 1, size, dtype=np.float32)
        strides = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        tensors[name] = tensor(shape, strides, source=storage(key, size))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.pt")
        (write_zip if is_zip else write_legacy)(path, dictionary(tensors), storages)
        return path.read_bytes()


def read(path: Path) -> object:
    return attentive_chrome_arrays(read_state_dict(path))


@fuzz(st.one_of(damaged(whole(True)), damaged(whole(False))))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    return check(read, path)


def test_whole_files_are_read(tmp_path: Path) -> None:
    for is_zip in (True, False):
        (tmp_path / "a.pt").write_bytes(whole(is_zip))
        assert check(read, tmp_path / "a.pt") == Outcome()
