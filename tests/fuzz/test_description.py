import json
from pathlib import Path
from typing import Any

import pytest
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st

from serving.description import ModelDescription
from serving.errors import InputError, ServerError

DETAILS: dict[str, Any] = {
    "variant": "attentive_chrome",
    "marks": ["H3K4me3", "H3K9me3"],
    "num_bins": 100,
    "bin_bp": 100,
    "flank_bp": 5000,
    "oriented": False,
    "members": 3,
    "task": "classification",
    "unit": None,
    "dataset": "remc/E012",
    "label_rule": "high if rpkm > median_rpkm",
}
WHOLE = json.dumps(DETAILS).encode()
ODD = [None, True, -1, 0, 10**30, 1.5, 1e308, "", "x", [], [1], {}, {"a": 1}]


def read(path: Path) -> object:
    try:
        parsed = ModelDescription.parse("e012", 1, {"description": [path.read_bytes()]})
    except ServerError as error:
        # As a client says it: the file is the server's.
        raise InputError(str(error)) from error
    return parsed.is_ensemble, parsed.output_shapes, parsed.scale, parsed.check_marks(parsed.marks)


@st.composite
def of_other_types(draw: Any) -> bytes:
    names = draw(st.lists(st.sampled_from([*DETAILS]), min_size=1, max_size=3))
    return json.dumps(DETAILS | {name: draw(st.sampled_from(ODD)) for name in names}).encode()


@fuzz(damaged(WHOLE) | of_other_types())
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "keras_chrome.json"
    path.write_bytes(content)
    return check(read, path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_bins", float("inf")),
        ("num_bins", "100"),
        ("num_bins", 0),
        ("marks", "H3K4me3"),
        ("marks", [1, 2]),
        ("marks", []),
        ("members", "3"),
        ("members", [3]),
        ("oriented", {}),
        ("bin_bp", "100"),
    ],
)
def test_parts_of_other_types(name: str, value: Any) -> None:
    description = json.dumps(DETAILS | {name: value})
    with pytest.raises(ServerError, match=r"describes its marks and bins\. Received: model=e012"):
        ModelDescription.parse("e012", 1, {"description": [description]})


def test_what_is_not_known_may_be_null() -> None:
    description = json.dumps(DETAILS | {"members": None, "oriented": None, "bin_bp": None})
    assert not ModelDescription.parse("e012", 1, {"description": [description]}).is_ensemble


def test_a_description_of_a_thousand_brackets() -> None:
    for description in ("[" * 100_000, "[]", "1", "null", '{"marks": ["a"]}', b"\xff"):
        with pytest.raises(ServerError, match="describes its marks and bins"):
            ModelDescription.parse("e012", 1, {"description": [description]})
