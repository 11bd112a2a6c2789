"""Writers of checkpoints."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from written_checkpoints import Write, write_legacy, write_zip


@pytest.fixture(params=[write_zip, write_legacy], ids=["zip", "legacy"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Writes a checkpoint of six float32 elements in either layout."""

    def write_file(saved: bytes, storages: Mapping[str, np.ndarray] | None = None, **options):
        elements = {"0": np.arange(6, dtype="<f4")} if storages is None else storages
        return request.param(tmp_path / "checkpoint.pt", saved, elements, **options)

    return write_file
