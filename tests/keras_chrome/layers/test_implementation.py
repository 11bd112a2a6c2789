"""The switch between the recurrences."""

import pytest

from keras_chrome.errors import InputError
from keras_chrome.layers.implementation import recurrence_in_use, use_recurrence


def test_the_innermost_counts() -> None:
    assert recurrence_in_use() == "fused"
    with use_recurrence("stock"):
        assert recurrence_in_use() == "stock"
        with use_recurrence("block"):
            assert recurrence_in_use() == "block"
        assert recurrence_in_use() == "stock"
    assert recurrence_in_use() == "fused"


def test_another_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"'block'\)\. Received: recurrence='cudnn'"):
        use_recurrence("cudnn").__enter__()
    assert recurrence_in_use() == "fused"
