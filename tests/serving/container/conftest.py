"""Programs that judge the container's files."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def find_program() -> Callable[[str], str]:
    """Find a program beside Python or in PATH; a test that needs one skips without it."""

    def find(name: str) -> str:
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        if not (program := shutil.which(name, path=places)):
            pytest.skip(f"no {name}: this check needs it")
        return program

    return find
