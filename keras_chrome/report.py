"""Write one page on runs: data, training, predictions, explanations, every test gene.

As a command: `python -m keras_chrome.report RUN --out report.html`. The page is one file that
needs no network.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.study import add_study_options, study_options


def report(
    run_dirs: Iterable[str | Path],
    out: str | Path,
    *,
    dataset: str | None = None,
    data_dir: str | None = None,
    labels: str | None = None,
) -> None:
    """Write a report on runs as one HTML file.

    It shows the quality of the data, learning curves, ROC and precision-recall curves,
    calibration, what `compare` and `faithfulness` left in the run directory, and for each test gene
    the signals, alpha, beta and saliency. What a run does not have is named, with what would make
    it.

    Args:
        run_dirs: Run directories; the page switches between them.
        out: The file to write.
        dataset: A built dataset for all of them; each run's own if None.
        data_dir: Where datasets were built; where each run found its own if None.
        labels: Label rule; each run's own if None.

    Raises:
        InputError: If a run or a dataset is missing, they do not fit each other, or a file is
            damaged.

    Example:
        >>> report(["runs/E003", "runs/E012"], "report.html")
    """
    from keras_chrome.report_page.collect import collect_runs
    from keras_chrome.report_page.render import render_page
    from keras_chrome.run_directory import atomic_path

    page = render_page(collect_runs(run_dirs, dataset=dataset, data_dir=data_dir, labels=labels))
    with atomic_path(Path(out)) as temporary:
        temporary.write_text(page, encoding="utf-8")


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
