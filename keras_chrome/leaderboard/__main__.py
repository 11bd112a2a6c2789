"""`python -m keras_chrome.leaderboard RUNS --out leaderboard`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.leaderboard.board import REFERENCE, leaderboard
from keras_chrome.leaderboard.output import summary, write_leaderboard
from keras_chrome.runs.files import checked_directory


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command."""

    runs: tuple[Path, ...] = option(
        "run directory, or folder of them at any depth", positional=True
    )
    out: Path | None = option(
        "directory for tables and figure (default: screen only)", default=None
    )
    reference: str = option("model on which improvements are counted", default=REFERENCE)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.leaderboard",
        description="Compare models over finished runs: a table, paired tests and a figure.",
    )
    if given.out:
        checked_directory(given.out)
    board = leaderboard(given.runs, reference=given.reference)
    print(summary(board))
    if given.out:
        print("", *write_leaderboard(board, given.out), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
