"""Values of thousands of genes as text, small enough to travel inside a page.

Genes are packed in chunks, of which the page unpacks only the one that it shows. A chunk is the
bytes of its layers one after the other, compressed (zlib, RFC 1950) and written in base64:

| kind | bytes of a chunk of g genes, m marks, b bins | value |
|---|---|---|
| steps | low bytes (m, g, b), high bytes (m, g, b) of unsigned 16-bit n | n / divisor, exact |
| scaled | float32 lowest (g, m), highest (g, m); bytes d (m, g, b) | see below |
| float32 | float32 (g, m) | as it is |

A scaled value is lowest + q * (highest - lowest) / 255, where q is the sum of d up to its bin,
modulo 256: neighbours are alike, so that their differences compress better. Of each gene and mark
the value is off by at most (highest - lowest) / 510. Numbers are little-endian.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_chrome.errors import InputError

GENES_A_CHUNK = 256
_DIVISORS = (1, 10, 100)
_HIGHEST_STEP = 2**16 - 1


class EncodedGenes(NamedTuple):
    """Genes as text.

    Attributes:
        layers: What to know to decode a chunk, as JSON can hold it: `name`, `kind`, and of steps
            the `divisor`, in the order of their bytes.
        chunks: Base64; all of `GENES_A_CHUNK` genes but the last.
    """

    layers: list[dict[str, Any]]
    chunks: list[str]


def encode_genes(arrays: Mapping[str, np.ndarray]) -> EncodedGenes:
    """Pack values of genes.

    Whole numbers, and those of one or two decimals, are kept exactly, if none is below 0 or takes
    more than 16 bits; other values of bins to one part in 510 of their range in a gene and mark.

    Args:
        arrays: By name, floats `(genes, marks, bins)`, or `(genes, marks)`, kept as float32.

    Raises:
        InputError: If a value is not finite.
    """
    for name, values in arrays.items():
        if num_broken := int((~np.isfinite(values)).sum()):
            raise InputError(
                f"Expected finite numbers. Received: {num_broken} in {name} that are not; look at "
                "the signal of the dataset, and at the loss in history.csv"
            )
    layers = [_layer(name, values) for name, values in arrays.items()]
    num_genes = len(next(iter(arrays.values())))
    chunks = []
    for start in range(0, num_genes, GENES_A_CHUNK):
        parts = (values[start : start + GENES_A_CHUNK] for values in arrays.values())
        packed = (_pack(layer, part) for layer, part in zip(layers, parts, strict=True))
        chunks.append(_compress(b"".join(packed)))
    return EncodedGenes(layers, chunks)


def encode_json(value: Any) -> str:
    """Pack what JSON can hold: compressed, in base64."""
    return _compress(json.dumps(value, allow_nan=False, separators=(",", ":")).encode())


def json_in_script(value: Any) -> str:
    """JSON that stands inside a script element without ending it, whatever text it holds."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _layer(name: str, values: np.ndarray) -> dict[str, Any]:
    if values.ndim == 2:
        return {"name": name, "kind": "float32"}
    if values.size and values.min() >= 0:
        for divisor in _DIVISORS:
            steps = np.rint(values.astype(np.float64) * divisor)
            if steps.max() <= _HIGHEST_STEP and (np.float32(steps / divisor) == values).all():
                return {"name": name, "kind": "steps", "divisor": divisor}
    return {"name": name, "kind": "scaled"}


def _pack(layer: Mapping[str, Any], values: np.ndarray) -> bytes:
    """The bytes of one layer of a chunk."""
    if layer["kind"] == "float32":
        return values.astype("<f4").tobytes()
    # Genes of one mark are more alike than marks of one gene.
    by_mark = values.swapaxes(0, 1).astype(np.float64)
    if layer["kind"] == "steps":
        steps = np.rint(by_mark * layer["divisor"]).astype(np.uint16)
        low, high = ((steps >> bits).astype(np.uint8) for bits in (0, 8))
        return bytes(low.tobytes() + high.tobytes())
    # The float32 that the page will know, so that rounding counts from there.
    lowest = np.minimum(values.min(axis=2), 0).astype("<f4")
    highest = values.max(axis=2).astype("<f4")
    offset = lowest.T[..., None].astype(np.float64)
    span = highest.T[..., None] - offset
    scaled = np.rint(255 * (by_mark - offset) / np.where(span > 0, span, 1))
    levels = scaled.clip(0, 255).astype(np.uint8)
    differences = np.diff(levels, axis=2, prepend=np.uint8(0))
    return b"".join(part.tobytes() for part in (lowest, highest, differences))


def _compress(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()
