"""`python -m keras_chrome.leaderboard RUNS --out leaderboard`."""

import argparse
from collections.abc import Sequence

from keras_chrome.command_line import run_command
from keras_chrome.leaderboard.board import REFERENCE, leaderboard
from keras_chrome.leaderboard.output import write_leaderboard


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.leaderboard",
        description="Compare models over finished runs: a table, paired tests and a figure.",
    )
    parser.add_argument("paths", nargs="+", help="run directory, or folder of them at any depth")
    parser.add_argument("--out", help="directory for tables and figure (default: screen only)")
    parser.add_argument(
        "--reference",
        default=REFERENCE,
        help="model on which improvements are counted (default: %(default)s)",
    )
    given = parser.parse_args(argv)

    from keras_chrome.leaderboard.output import summary

    board = leaderboard(given.paths, reference=given.reference)
    print(summary(board))
    if given.out:
        write_leaderboard(board, given.out)
        print(f"\nleaderboard: {given.out}")


if __name__ == "__main__":
    run_command(main)
