"""The switch between the fused recurrence and stock Keras."""

import pytest

from keras_chrome.errors import InputError
from keras_chrome.layers.implementation import (
    ENVIRONMENT_VARIABLE,
    recurrence_in_use,
    use_recurrence,
)


def test_the_innermost_counts_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert recurrence_in_use() == "fused"
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "stock")
    assert recurrence_in_use() == "stock"
    with use_recurrence("fused"):
        assert recurrence_in_use() == "fused"
    assert recurrence_in_use() == "stock"


def test_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"'block'\)\. Received: recurrence='cudnn'"):
        use_recurrence("cudnn").__enter__()
    # Training could not compile it.
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "block")
    with pytest.raises(InputError, match=r"'stock'\)\. Received: recurrence='block'"):
        recurrence_in_use()
