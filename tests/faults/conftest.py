"""The commands as a user types them, and what they made, for tests of what is wrong around them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

CONFIG = json.dumps(
    {
        "name": "small",
        "source": "simulated",
        "num_genes": 150,
        "bin_bp": 500,
    }
)
# In the order of the work; {data}, {run} and {out} are folders.
_DATA = ("--data-dir", "{data}")
COMMANDS = {
    "build": ("tfds_remc", "--config", CONFIG.replace("{", "{{").replace("}", "}}"), *_DATA),
    "fit": (
        *("keras_chrome.fit", "--dataset", "remc/small", *_DATA, "--run-dir", "{run}"),
        *("--model", "cnn_alpha_beta", "--epochs", "1", "--batch-size", "25"),
    ),
    "evaluate": ("keras_chrome.evaluate", "{run}", *_DATA),
    "attend": ("keras_chrome.attend", "{run}", *_DATA, "--out", "{out}/a.nc"),
    "plot": (
        *("keras_chrome.attend", "{run}", *_DATA, "--plot", "SIM00000000116"),
        *("--out", "{out}/plots/p.png"),
    ),
    "explain": (
        *("keras_chrome.explain", "{run}", *_DATA, "--methods", "occlusion"),
        *("--out", "{out}/e.nc"),
    ),
    "report": ("keras_chrome.report", "{run}", "--out", "{out}/r.html"),
    "tracks": ("keras_chrome.tracks", "{run}", *_DATA, "--out", "{out}/tracks"),
    "export": ("export", "{run}", "--to", "{out}/models", "--name", "small"),
}


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Starts one of COMMANDS, or one that is spelled out, in its folders."""

    def started(
        name: str,
        folder: Path,
        *,
        out: Path | None = None,
        run: Path | None = None,
        data: Path | None = None,
        before: Sequence[str] = (),
        environment: Mapping[str, str | None] = {},
    ) -> subprocess.Popen[str]:
        folders = {
            "data": data or folder / "data",
            "run": run or folder / "run",
            "out": out or folder,
        }
        arguments = [argument.format(**folders) for argument in COMMANDS[name]]
        given = {**os.environ, **environment}
        return subprocess.Popen(
            [*before, sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={key: value for key, value in given.items() if value is not None},
        )

    return started


@pytest.fixture(scope="session")
def made(
    start: Callable[..., subprocess.Popen[str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a small dataset in `data` and a run trained on it in `run`."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("build", "fit"):
        process = start(name, folder)
        error = process.communicate()[1]
        assert process.returncode == 0, error
    return folder
