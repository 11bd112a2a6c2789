"""Checkpoints as PyTorch writes them, from opcodes: what no PyTorch would write, too."""

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

NONE, FALSE = b"N", b"\x89"

Write = Callable[..., Path]


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def python2_text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()


def number(value: int) -> bytes:
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def sequence(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def call(callee: bytes, *arguments: bytes) -> bytes:
    return callee + sequence(*arguments) + b"R"


def dictionary(entries: Mapping[str, bytes], start: bytes = b"}") -> bytes:
    return start + b"(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


ORDERED_DICT = call(named("collections", "OrderedDict"))


def storage(key: str = "0", num_elements: int = 6, kind: str = "FloatStorage", *view) -> bytes:
    reference = (text("storage"), named("torch", kind), text(key), text("cpu"))
    return sequence(*reference, number(num_elements), *view) + b"Q"


def tensor(
    shape: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
    offset: int = 0,
    source: bytes | None = None,
) -> bytes:
    return call(
        named("torch._utils", "_rebuild_tensor_v2"),
        source or storage(),
        number(offset),
        sequence(*map(number, shape)),
        sequence(*map(number, strides)),
        FALSE,
        ORDERED_DICT,
    )


def write_zip(
    path: Path,
    saved: bytes,
    storages: Mapping[str, np.ndarray],
    *,
    byteorder: bytes = b"little",
    members: Mapping[str, bytes] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + saved + b".")
        archive.writestr("archive/byteorder", byteorder)
        for key, elements in storages.items():
            archive.writestr(f"archive/data/{key}", elements.tobytes())
        archive.writestr("archive/version", b"3\n")
        for name, content in (members or {}).items():
            archive.writestr(name, content)
    return path


def write_legacy(
    path: Path,
    saved: bytes,
    storages: Mapping[str, np.ndarray],
    *,
    protocol: int = 1001,
    is_little_endian: bool = True,
    keys: bytes | None = None,
) -> Path:
    system = {"protocol_version": 1001, "little_endian": is_little_endian}
    pickles = [
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(protocol, 2),
        pickle.dumps(system, 2),
        b"\x80\x02" + saved + b".",
        keys or pickle.dumps(list(storages), 2),
    ]
    raw = [len(a).to_bytes(8, "little") + a.tobytes() for a in storages.values()]
    path.write_bytes(b"".join(pickles + raw))
    return path
