"""JSON of which one value is another, of any type."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

_VALUES = [
    *(None, True, False, 0, 1, -1, 2**31, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "x", "a\nb", "\ud800", "\0", "../../etc", "x" * 10_000, "regression", "test", "median"),
    *([], [None], [[]], ["x"], ["x", "x"], [1, 2], {}, {"": None}, {"x": {"x": "x"}}, {"name": 1}),
    [0] * 1000,
]


def changed_json(whole: Any) -> st.SearchStrategy[bytes]:
    """A document with up to three values that are others, or gone."""
    change = st.tuples(st.integers(0, 10_000), st.none() | st.sampled_from(_VALUES), st.booleans())
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: _changed(whole, changes))


def _changed(whole: Any, changes: list[tuple[int, Any, bool]]) -> bytes:
    document = [copy.deepcopy(whole)]
    for which, value, is_gone in changes:
        places = [*_places(document)]
        holder, key = places[which % len(places)]
        if is_gone and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(value)
    return json.dumps(document[0]).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])
