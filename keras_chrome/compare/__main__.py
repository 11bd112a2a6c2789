"""`python -m keras_chrome.compare RUN --validation-mark H3K27ac`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.compare.correlations import CompareConfig, compare
from keras_chrome.compare.output import summary, write_comparison
from keras_chrome.errors import InputError
from keras_chrome.runs.files import checked_directory


@dataclass(frozen=True, kw_only=True)
class Options(CompareConfig):
    """Options of the command."""

    runs: tuple[Path, ...] = option(
        "run directories; those that differ in their seed are counted together, and those made "
        "with --permute-labels are held beside them",
        positional=True,
    )
    out: Path | None = option(
        "directory to write (default: each run's part into its own RUN/compare; of several "
        "trainings into the first one's)",
        default=None,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.compare",
        description="Correlate the importance of one mark's bins with the signal of a mark that "
        "the runs were not trained on, over genes predicted ON; and the same of networks that have "
        "learned nothing.",
    )
    if given.out:
        checked_directory(given.out)
    quieten_tensorflow()
    table = compare(given.runs, given)
    print(f"\n{summary(table)}\n")
    if given.out:
        parts = {given.out: table}
    else:
        parts = {Path(str(run), "compare"): part for run, part in table.groupby("run", sort=False)}
    for directory, part in parts.items():
        print(*write_comparison(part, directory), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
