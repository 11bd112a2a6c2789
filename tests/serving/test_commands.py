"""Every command as `python -m` runs it: what a user can mend ends in one line, with code 2."""

import runpy
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVING = Path(__file__).parents[2] / "serving"


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Puts back what `serving.local` sets for its process."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signal_handlers")
@pytest.mark.parametrize(
    ("file", "options", "said"),
    [
        ("client.py", "--model tiny", "Expected --csv, --dataset, --numpy or --describe."),
        (
            "client.py",
            "--model tiny --describe --rest http://127.0.0.1:1 --timeout-s 0.1",
            "Expected an answer from http://127.0.0.1:1, model=tiny. Received: UNAVAILABLE",
        ),
        ("local.py", "--models-dir nosuch --port 0", "models_dir=nosuch (No such file"),
        ("local.py", "--models nosuch --port 99999", "Received: 127.0.0.1:99999"),
        ("web/__main__.py", "--models tiny --max-genes 0", "Received: max_genes=0"),
        (
            "container/ssl_config.py",
            "--cert nosuch --key nosuch --out nosuch",
            "Expected a PEM file. Received: nosuch (No such file or directory)",
        ),
    ],
)
def test_what_a_user_can_mend_ends_in_one_line(
    file: str,
    options: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [file, *options.split()])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path(str(SERVING / file), run_name="__main__")
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: Expected")
    assert said in err
    assert err.count("\n") == 1
