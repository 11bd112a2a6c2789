"""What the page is told to ask."""

import pytest

from serving.errors import InputError
from serving.web.config import WebConfig


def test_limits_are_positive() -> None:
    for wrong in ({"timeout_s": 0}, {"max_genes": -1}, {"max_upload_mb": 0}):
        with pytest.raises(InputError, match="Expected a positive number"):
            WebConfig(models=("tiny",), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="names of models, or a models"):
        WebConfig()
