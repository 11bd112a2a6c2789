"""Fixtures that every package's tests share."""

import os
import signal
from pathlib import Path

import pytest

# Before any test imports TensorFlow: its start-up lines would drown a failure's own.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# A shell starts what runs in the background with SIGINT ignored, and so would be every command that
# a test starts, and then interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let XLA compile without optimizing, which takes half the time and is most of a quick test.

    The slow tests run what a user runs.
    """
    if config.option.markexpr == "not slow":
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


@pytest.fixture(scope="session")
def num_kills() -> int:
    """How often a test kills what it tests, at moments of chance; KERAS_CHROME_KILLS says more."""
    return int(os.environ.get("KERAS_CHROME_KILLS", "4"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real REMC data that KERAS_CHROME_REAL_DATA names, or a skip with the reason."""
    name = os.environ.get("KERAS_CHROME_REAL_DATA")
    if not name:
        pytest.skip("KERAS_CHROME_REAL_DATA is not set: no real REMC data to test on")
    path = Path(name)
    if not (path / "remc" / "data.tar.gz").is_file():
        pytest.fail(f"Expected remc/data.tar.gz under KERAS_CHROME_REAL_DATA. Received: {path}")
    return path
