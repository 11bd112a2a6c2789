"""`python -m keras_chrome.faithfulness RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.faithfulness.config import FaithfulnessConfig
from keras_chrome.faithfulness.output import summary, write_faithfulness
from keras_chrome.faithfulness.suite import faithfulness
from keras_chrome.runs.files import checked_directory


@dataclass(frozen=True, kw_only=True)
class Options(FaithfulnessConfig):
    """Options of the command."""

    runs: tuple[Path, ...] = option(
        "run directory of a network; or several that differ in their seed, and in --permute-labels",
        positional=True,
    )
    out: Path | None = option(
        "directory to write (default: faithfulness in the first run's)", default=None
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.faithfulness",
        description="Try all importance methods of a run side by side, and say which to believe "
        "for which question. Trains the run's model with other seeds and on shuffled labels.",
    )
    if given.out:
        checked_directory(given.out)
    quieten_tensorflow()
    directory = given.out or given.runs[0] / "faithfulness"
    result = faithfulness(given.runs, given, directory=directory)
    written = write_faithfulness(result, directory)
    print("", summary(result), "", *written, sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
