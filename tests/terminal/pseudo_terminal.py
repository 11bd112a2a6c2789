"""Commands as a person at a terminal sees them."""

import os
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from pathlib import Path

COLUMNS = 100


def on_terminal(
    *arguments: str | Path,
    watch: Callable[[str, subprocess.Popen[bytes]], None] = lambda _text, _process: None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run `python ARGUMENTS` on a terminal of 100 columns.

    Args:
        *arguments: Of Python.
        watch: Called with all that there is to see, and the process, whenever there is more.
        environment: Of the process.

    Returns:
        The exit code, and what the terminal was sent.
    """
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, (50, COLUMNS))
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    sent = b""
    try:
        while more := os.read(ours, 1 << 16):
            sent += more
            watch(sent.decode(errors="replace"), process)
    except OSError:  # How Linux says that nobody writes any more.
        pass
    finally:
        os.close(ours)
    return process.wait(), sent.decode().replace("\r\n", "\n")


def left_on_screen(text: str) -> list[str]:
    """The lines that stay: of what was drawn over, what was drawn last."""
    return [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
