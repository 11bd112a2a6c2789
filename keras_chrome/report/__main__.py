"""`python -m keras_chrome.report RUN --out report.html`."""

import argparse
from collections.abc import Sequence

from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.report.write import report
from keras_chrome.runs.study import add_study_options, study_options


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.report",
        description="Write one HTML file on runs: quality of the data, learning curves, ROC and "
        "precision-recall curves, calibration, comparison with H3K27ac, faithfulness, and every "
        "test gene with signals, alpha, beta and saliency. It needs no network.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run directory")
    parser.add_argument("--out", required=True, help="file to write, such as report.html")
    add_study_options(parser, splits=False)
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    report(given.runs, given.out, **study_options(given))
    print(given.out)


if __name__ == "__main__":
    run_command(main)
