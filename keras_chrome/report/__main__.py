"""`python -m keras_chrome.report RUN --out report.html`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.report.write import report
from keras_chrome.runs.files import ending_of
from keras_chrome.runs.study import DataArguments


@dataclass(frozen=True, kw_only=True)
class Options(DataArguments):
    """Options of the command."""

    runs: tuple[Path, ...] = option("run directories", positional=True, metavar="RUN")
    out: Path = option("file to write, such as report.html")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.report",
        description="Write one HTML file on runs: quality of the data, learning curves, ROC and "
        "precision-recall curves, calibration, comparison with H3K27ac, faithfulness, and every "
        "test gene with signals, alpha, beta and saliency. It needs no network.",
    )
    ending_of(given.out, (".html", ".htm"))
    quieten_tensorflow()
    report(given.runs, given.out, **given.data_options())
    print(given.out)


if __name__ == "__main__":
    run_command(main, InputError)
