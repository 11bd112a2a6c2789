"""`python -m keras_chrome.ensemble RUN... --run-dir ENSEMBLE`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.ensemble.join import ensemble
from keras_chrome.ensemble.output import summary
from keras_chrome.errors import InputError
from keras_chrome.runs import open_run


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command."""

    runs: tuple[Path, ...] = option(
        "finished run directory, two or more of the same genes", positional=True, metavar="RUN"
    )
    run_dir: Path = option("run directory to write")
    stack: bool = option(
        "choose the members' weights by the log loss on the validation genes, of regression the "
        "squared error, instead of equal ones",
        default=False,
    )
    data_dir: Path | None = option(
        "where datasets were built (default: as in the first run's training)", default=None
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.ensemble",
        description="Make one run directory of several runs: its model answers the mean of their "
        "logits, of a baseline the log-odds, of regression the expression, and how far they lie "
        "apart.",
    )
    quieten_tensorflow()
    run = ensemble(given.runs, given.run_dir, stack=given.stack, data_dir=given.data_dir)
    print(summary(run, [open_run(path) for path in given.runs]))
    print(f"\nrun directory: {run.path}")


if __name__ == "__main__":
    run_command(main, InputError)
