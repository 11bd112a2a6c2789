"""What is packed comes out again: exactly, or within the stated bound."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.report.encode import (
    GENES_A_CHUNK,
    EncodedGenes,
    encode_genes,
    encode_json,
    json_in_script,
)


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


class Reader:
    """Takes arrays off a chunk, one after the other."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, dtype: str, *shape: int) -> np.ndarray:
        found = np.frombuffer(self.content, dtype, int(np.prod(shape)), self.at).reshape(shape)
        self.at += found.nbytes
        return found


def decoded(encoded: EncodedGenes, num_genes: int, marks: int, bins: int) -> dict[str, np.ndarray]:
    """What page.js reads, by the format that encode.py documents."""
    parts: dict[str, list[np.ndarray]] = {layer["name"]: [] for layer in encoded.layers}
    for i, chunk in enumerate(encoded.chunks):
        reader = Reader(unpacked(chunk))
        genes = min(GENES_A_CHUNK, num_genes - i * GENES_A_CHUNK)
        for layer in encoded.layers:
            parts[layer["name"]].append(layer_of(reader, layer, genes, marks, bins))
        assert reader.at == len(reader.content)
    return {name: np.concatenate(values) for name, values in parts.items()}


def layer_of(
    reader: Reader, layer: dict[str, Any], genes: int, marks: int, bins: int
) -> np.ndarray:
    if layer["kind"] == "float32":
        return reader.take("<f4", genes, marks)
    if layer["kind"] == "steps":
        low, high = (reader.take("u1", marks, genes, bins) for _ in range(2))
        return ((low + 256.0 * high) / layer["divisor"]).swapaxes(0, 1)
    lowest, highest = (reader.take("<f4", genes, marks)[..., None].astype(float) for _ in range(2))
    differences = reader.take("u1", marks, genes, bins)
    levels = np.cumsum(differences, axis=2, dtype=np.uint8).swapaxes(0, 1)
    return lowest + levels * (highest - lowest) / 255


@pytest.mark.parametrize(("divisor", "highest"), [(1, 65535), (10, 6000), (100, 655)])
def test_whole_numbers_and_short_decimals_come_out_exactly(divisor: int, highest: int) -> None:
    rng = np.random.default_rng(0)
    steps = rng.integers(0, highest * divisor, (300, 2, 7))
    steps[0, 0, 0] = 1  # of no coarser step
    signal = (steps / divisor).astype(np.float32)
    encoded = encode_genes({"signal": signal})
    assert encoded.layers == [{"name": "signal", "kind": "steps", "divisor": divisor}]
    assert len(encoded.chunks) == 2
    np.testing.assert_array_equal(
        np.float32(decoded(encoded, 300, 2, 7)["signal"]), signal, strict=True
    )


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-3.0, 2.0), (0.0, 1e-7), (0.0, 70_000.5), (-2.0, -1.0)]
)
def test_other_values_come_out_within_one_part_in_510_of_their_range(
    low: float, high: float
) -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(low, high, (5, 3, 11)).astype(np.float32)
    values *= np.float32([1, 0.1, 1e-3])[:, None]
    encoded = encode_genes({"alpha": values})
    assert encoded.layers == [{"name": "alpha", "kind": "scaled"}]
    found = decoded(encoded, 5, 3, 11)["alpha"]
    span = values.max(2) - np.minimum(values.min(2), 0)
    # The ends are float32, so that a little rounding comes on top.
    assert (abs(found - values).max(2) <= span / 510 * (1 + 1e-5)).all()


def test_constant_and_empty_marks_come_out() -> None:
    values = np.float32([[[0, 0], [0.123456, 0.123456]]])
    found = decoded(encode_genes({"alpha": values}), 1, 2, 2)["alpha"]
    np.testing.assert_array_equal(np.float32(found), values)


def test_layers_follow_each_other() -> None:
    rng = np.random.default_rng(2)
    signal = rng.poisson(2.0, (GENES_A_CHUNK + 1, 2, 4)).astype(np.float32)
    beta = rng.random((GENES_A_CHUNK + 1, 2)).astype(np.float32)
    alpha = rng.random((GENES_A_CHUNK + 1, 2, 4)).astype(np.float32)
    encoded = encode_genes({"signal": signal, "beta": beta, "alpha": alpha})
    found = decoded(encoded, GENES_A_CHUNK + 1, 2, 4)
    np.testing.assert_array_equal(found["signal"], signal)
    np.testing.assert_array_equal(found["beta"], beta)
    np.testing.assert_allclose(found["alpha"], alpha, atol=1 / 510)


def test_a_paper_sized_split_of_noise_stays_below_the_size_of_a_page() -> None:
    """Noise packs worst: 660 genes of it take less than a tenth of 15 MB."""
    rng = np.random.default_rng(3)
    signal = np.round(rng.gamma(0.5, 4.0, (660, 5, 100)), 2).astype(np.float32)
    noise = rng.random((2, 660, 5, 100)).astype(np.float32)
    encoded = encode_genes({"signal": signal, "alpha": noise[0], "saliency": noise[1]})
    assert sum(map(len, encoded.chunks)) < 1.5e6


def test_numbers_that_are_none_are_refused() -> None:
    values = np.zeros((2, 1, 3), np.float32)
    values[1, 0, 2] = np.nan
    with pytest.raises(InputError, match=r"Expected finite.*Received: 1 in saliency that are not;"):
        encode_genes({"signal": np.zeros_like(values), "saliency": values})


def test_json_comes_out_and_does_not_end_its_element() -> None:
    value = {"gene": "</script><!--<script>&amp;", "n": [1, None]}
    assert json.loads(unpacked(encode_json(value))) == value
    text = json_in_script(value)
    assert json.loads(text) == value
    assert not set("<>&") & set(text)
