"""A dataset's config as the JSON that a user types."""

import json
from pathlib import Path
from typing import Any

import pytest
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st

from tfds_remc.__main__ import _configs
from tfds_remc.remc.errors import InputError

OPTIONS: dict[str, Any] = {
    "source": "simulated",
    "name": "small",
    "num_genes": 30,
    "marks": ["H3K4me3"],
    "bin_bp": 100,
    "flank_bp": 5000,
    "seed": 1,
}
WHOLE = json.dumps(OPTIONS)
NAMES = [*OPTIONS, "epigenome", "sample_sheet", "expression", "version", "tss", "unit"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


def read(path: Path) -> object:
    # As an option arrives: in the encoding of the terminal.
    return _configs(path.read_bytes().decode(errors="surrogateescape"), {})


@st.composite
def of_other_types(draw: Any) -> bytes:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
    return json.dumps(OPTIONS | {name: draw(values) for name in names}).encode()


@fuzz(damaged(WHOLE.encode()) | of_other_types())
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    return check(read, path)


@pytest.mark.parametrize("text", ["{", '{"a": %s}' % ("9" * 5000), '{"a":' * 100_000])
def test_what_once_failed_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="Expected fields of a config as JSON"):
        _configs(text, {})
