"""Who opens a baseline's file: its writer at once, others on their word."""

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from keras_chrome.baselines import Baseline, build_baseline, own_file
from keras_chrome.errors import InputError

SIGNAL = np.random.default_rng(0).poisson(3, (60, 4, 1)).astype(np.float32)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(own_file.TRUST, raising=False)
    own_file._key.cache_clear()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    baseline = build_baseline("logistic_regression_max", marks=("H3K4me3",), num_bins=4)
    baseline.fit(SIGNAL, (SIGNAL.max((1, 2)) > 5).astype(int))
    baseline.save(tmp_path / "model.joblib")
    return tmp_path / "model.joblib"


class Trap:
    """A pickle that makes a folder as it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_its_writer_opens_it_in_any_process(saved: Path) -> None:
    code = f"from keras_chrome.baselines import Baseline; Baseline.load({str(saved)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_key_is_the_users_alone(saved: Path, tmp_path: Path) -> None:
    key = tmp_path / "config" / "keras-chrome" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert list(key.parent.iterdir()) == [key]


def test_a_pickle_from_elsewhere_does_not_run(tmp_path: Path) -> None:
    path, trap = tmp_path / "model.joblib", tmp_path / "sprung"
    for content in (pickle.dumps(Trap(trap)), own_file._START + bytes(32) + b"."):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{path}, a pickle of somebody.*{own_file.TRUST}=1"):
            Baseline.load(path)
    assert not trap.exists()
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(InputError, match="Expected a saved baseline"):
        Baseline.load(path, trust=True)
    assert trap.exists(), "the attack works on who trusts it"


def test_a_byte_that_changed_asks_for_a_word(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-5] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InputError, match="of somebody else"):
        Baseline.load(saved)


def test_a_file_of_another_account_or_an_earlier_version_opens_on_the_users_word(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = Baseline.load(saved)(SIGNAL)["probability"]
    earlier = tmp_path / "earlier.joblib"
    joblib.dump(Baseline.load(saved), earlier, compress=3)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    own_file._key.cache_clear()
    for path in (saved, earlier):
        with pytest.raises(InputError, match="of another account or of an earlier version"):
            Baseline.load(path)
        np.testing.assert_array_equal(
            Baseline.load(path, trust=True)(SIGNAL)["probability"], expected
        )
    monkeypatch.setenv(own_file.TRUST, "1")
    np.testing.assert_array_equal(Baseline.load(earlier)(SIGNAL)["probability"], expected)


def test_without_a_home_a_process_opens_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    own_file._key.cache_clear()
    content = own_file.signed(b"mine")
    (tmp_path / "mine").write_bytes(content)
    assert own_file.trusted_content(tmp_path / "mine") == b"mine"
