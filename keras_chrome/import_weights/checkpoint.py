"""Reads the tensors of a PyTorch checkpoint without PyTorch and without running what is in it.

Two layouts are read, both as `torch.save` writes them:

* the zip archive of PyTorch 1.6 and later: `NAME/data.pkl`, each storage in `NAME/data/KEY`, and
  `NAME/byteorder`;
* the earlier one, five pickles in a row (a magic number, the protocol version, the system that
  wrote it, the object, the storages' keys), then each storage as its int64 length and its elements.

What a file claims about sizes is compared with the bytes it holds before memory is taken.
"""

import io
import math
import os
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_chrome.import_weights.pickle_machine import (
    BFLOAT16_STORAGE,
    CheckpointError,
    Storage,
    Tensor,
    kind,
    read_pickle,
    shown,
)

__all__ = ["CheckpointError", "read_state_dict"]

_ZIP_START = b"PK\x03\x04"
# What zipfile raises on damage; RuntimeError is a member that claims to be encrypted.
_ZIP_DAMAGE = (zipfile.BadZipFile, RuntimeError, ValueError, OSError, EOFError, OverflowError)
_PICKLE_START = b"\x80"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

# Keys under which training scripts put the state dict beside an optimizer's and the like.
_WRAPPERS = ("state_dict", "model_state_dict", "model")

_MAX_DIMENSIONS = 32
_MAX_NUMBER = 2**40
# Tied weights are stored once and read twice; a file made to exhaust memory repeats far more.
_MAX_REPEATS = 8


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the named tensors of a PyTorch checkpoint; nothing in the file is executed.

    Args:
        path: File written by `torch.save`: a state dict, or a dictionary that holds one under
            `state_dict`, `model_state_dict` or `model`.

    Returns:
        Each tensor as a writable C-ordered array of its own, in the order of the file. The dtype is
        the tensor's; bfloat16, which NumPy lacks, becomes float32 without loss.

    Raises:
        CheckpointError: If the file cannot be read, is no checkpoint, is truncated or damaged, or
            names anything but tensors, as a pickled model or a call does.

    Reference:
        `torch/serialization.py` of PyTorch, `_save` and `_legacy_save`.

    Example:
        >>> state_dict = read_state_dict("E003_attchrome_avgAUC_model.pt")  # doctest: +SKIP
        >>> state_dict["fdiff1_1.weight"].shape  # doctest: +SKIP
        (1, 32)
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path}: Expected a file that can be read. Received: {error.strerror}."
        ) from error
    try:
        read = _read_zip if data.startswith(_ZIP_START) else _read_legacy
        saved, storages = read(data)
        return _arrays(_find_state_dict(saved), storages)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _read_zip(data: bytes) -> tuple[Any, dict[str, memoryview]]:
    """The pickled object and the storages by key, from the zip layout."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            root = _checked_root(archive.infolist(), len(data))
            contents = {name: archive.read(name) for name in archive.namelist()}
    except CheckpointError:
        raise
    except _ZIP_DAMAGE as error:
        raise CheckpointError(
            f"Expected an intact zip archive. Received: {shown(str(error))}. "
            "The file is truncated or damaged: fetch it again."
        ) from error
    _require_little_endian(contents.get(f"{root}/byteorder", b"little") == b"little")
    saved, _ = read_pickle(io.BytesIO(contents[f"{root}/data.pkl"]))
    prefix = f"{root}/data/"
    return saved, {
        name.removeprefix(prefix): memoryview(content)
        for name, content in contents.items()
        if name.startswith(prefix)
    }


def _checked_root(members: list[zipfile.ZipInfo], file_bytes: int) -> str:
    """The name of the archive's one folder; refuses what torch.save would not have written."""
    names = Counter(member.filename for member in members)
    roots = [name.removesuffix("/data.pkl") for name in names if name.endswith("/data.pkl")]
    if len(roots) != 1 or f"{roots[0]}/constants.pkl" in names:
        raise CheckpointError(
            "Expected an archive with one data.pkl, as torch.save writes it. Received: "
            f"{shown(list(names))}. Of a TorchScript model, save the state_dict()."
        )
    for name, count in names.items():
        if count > 1 or not name.startswith(f"{roots[0]}/") or ".." in name.split("/"):
            raise CheckpointError(
                f"Expected each member once and within {shown(roots[0])}. Received: {shown(name)}."
            )
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(
                "Expected members that are stored as they are, as torch.save writes them. "
                f"Received: {shown(member.filename)} compressed. Save it again with PyTorch."
            )
    num_bytes = sum(member.file_size for member in members)
    if num_bytes > file_bytes:
        raise CheckpointError(
            f"Expected members that fit into the file's {file_bytes} bytes. "
            f"Received: {num_bytes} bytes together. The file is damaged: fetch it again."
        )
    return roots[0]


def _read_legacy(data: bytes) -> tuple[Any, dict[str, memoryview]]:
    """The pickled object and the storages by key, from the layout before PyTorch 1.6."""
    if not data.startswith(_PICKLE_START):
        received = f"a file that starts with {data[:8]!r}" if data else "an empty file"
        raise CheckpointError(f"Expected a PyTorch checkpoint. Received: {received}.")
    stream = io.BytesIO(data)
    magic, _ = read_pickle(stream)
    if magic != _LEGACY_MAGIC:
        raise CheckpointError(
            "Expected a PyTorch checkpoint, its magic number first. Received: another pickle, of "
            f"type {kind(magic)}. Save model.state_dict() with torch.save."
        )
    protocol, _ = read_pickle(stream)
    if protocol != _LEGACY_PROTOCOL:
        raise CheckpointError(
            f"Expected layout version {_LEGACY_PROTOCOL}. Received: {shown(protocol)}. "
            "Save it again with a newer PyTorch."
        )
    system, _ = read_pickle(stream)
    _require_little_endian(isinstance(system, dict) and system.get("little_endian") is True)
    saved, declared = read_pickle(stream)
    keys, _ = read_pickle(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CheckpointError(f"Expected a list of storage keys. Received: {shown(keys)}.")
    if sorted(keys) != sorted(declared):
        raise CheckpointError(
            f"Expected the {len(declared)} storages that the tensors use, each once. "
            f"Received: {len(keys)} keys, {shown(sorted(keys))}."
        )
    storages = {}
    rest = memoryview(data)[stream.tell() :]
    for key in keys:
        storage = declared[key]
        num_elements = int.from_bytes(rest[:8], "little", signed=True)
        storages[key] = rest[8 : 8 + storage.num_bytes]
        if len(storages[key]) < storage.num_bytes or num_elements != storage.num_elements:
            raise CheckpointError(
                f"Expected {storage.num_elements} elements in storage {shown(key)}. Received: "
                f"{num_elements}, in {len(storages[key])} bytes. The file is truncated or damaged: "
                "fetch it again."
            )
        rest = rest[8 + storage.num_bytes :]
    return saved, storages


def _require_little_endian(is_little_endian: bool) -> None:
    if not is_little_endian:
        raise CheckpointError(
            "Expected little-endian numbers. Received: another byte order. Save the checkpoint on "
            "a little-endian machine."
        )


def _find_state_dict(saved: Any) -> dict[str, Tensor]:
    """The dictionary of tensors in what was saved."""
    if isinstance(saved, dict):
        wrapped = [saved[key] for key in _WRAPPERS if isinstance(saved.get(key), dict)]
        saved = wrapped[0] if wrapped else saved
    if not isinstance(saved, dict) or not saved:
        raise CheckpointError(
            f"Expected tensors by name. Received: {kind(saved)}{'' if saved else ', empty'}. "
            "With PyTorch, save model.state_dict()."
        )
    for name, value in saved.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"Expected tensors by name, or these under one of {', '.join(_WRAPPERS)}. "
                f"Received: {kind(value)} under {shown(name)}."
            )
    return saved


def _arrays(
    tensors: Mapping[str, Tensor], storages: Mapping[str, memoryview]
) -> dict[str, np.ndarray]:
    """Copies each tensor out of its storage."""
    for name, tensor in tensors.items():
        _check_storage(name, tensor.storage, storages)
        _check_extent(name, tensor)
    stored = sum(len(content) for content in storages.values())
    needed = sum(math.prod(t.shape) * t.storage.dtype.itemsize for t in tensors.values())
    if needed > _MAX_REPEATS * stored:
        raise CheckpointError(
            f"Expected tensors that use each stored byte at most {_MAX_REPEATS} times. "
            f"Received: tensors of {needed} bytes from {stored} stored."
        )
    return {name: _array(t, storages[t.storage.key]) for name, t in tensors.items()}


def _check_storage(name: str, storage: Storage, storages: Mapping[str, memoryview]) -> None:
    """Refuses a tensor whose storage is missing or of another size than it says."""
    content = storages.get(storage.key)
    if content is None or len(content) != storage.num_bytes:
        raise CheckpointError(
            f"Expected {storage.num_bytes} bytes of storage {shown(storage.key)} for tensor "
            f"{shown(name)}. Received: {'none' if content is None else len(content)}. "
            "The file is truncated or damaged: fetch it again."
        )


def _check_extent(name: str, tensor: Tensor) -> None:
    """Refuses a tensor that reaches beyond its storage or has more elements than it."""
    num_elements = tensor.storage.num_elements
    offset, shape, strides = tensor.offset, tensor.shape, tensor.strides
    is_sound = len(shape) == len(strides) <= _MAX_DIMENSIONS and all(
        type(number) is int and 0 <= number < _MAX_NUMBER for number in (offset, *shape, *strides)
    )
    if is_sound and 0 in shape:
        is_sound = math.prod(size for size in shape if size) < _MAX_NUMBER
    elif is_sound:
        last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        is_sound = offset + last < num_elements and math.prod(shape) <= num_elements
    if not is_sound:
        raise CheckpointError(
            f"Expected tensor {shown(name)} to lie within its storage of {num_elements} elements. "
            f"Received: shape={shown(shape)}, strides={shown(strides)}, offset={shown(offset)}."
        )


def _array(tensor: Tensor, content: memoryview) -> np.ndarray:
    """A copy of a tensor that was checked."""
    dtype = tensor.storage.dtype
    if 0 in tensor.shape:
        elements = np.empty(tensor.shape, dtype)
    else:
        elements = np.ndarray(
            tensor.shape,
            dtype,
            buffer=content,
            offset=tensor.offset * dtype.itemsize,
            strides=tuple(stride * dtype.itemsize for stride in tensor.strides),
        ).copy()
    if tensor.storage.type_name == BFLOAT16_STORAGE:
        return (elements.astype(np.uint32) << 16).view(np.float32)
    return elements
