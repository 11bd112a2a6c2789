"""Write one page on runs: data, training, predictions, explanations, every test gene.

As a command: `python -m keras_chrome.report RUN --out report.html`. The page is one file that
needs no network.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from keras_chrome.atomic import atomic_path
from keras_chrome.runs import open_run

if TYPE_CHECKING:
    from keras_chrome.runs.study import DataOptions


def report(run_dirs: Iterable[str | Path], out: str | Path, **data: Unpack[DataOptions]) -> None:
    """Write a report on runs as one HTML file.

    It shows the quality of the data, learning curves, ROC and precision-recall curves,
    calibration, what `compare` and `faithfulness` left in the run directory, and for each test gene
    the signals, alpha, beta and saliency. What a run does not have is named, with what would make
    it.

    Args:
        run_dirs: Run directories; the page switches between them.
        out: The file to write.
        **data: For all runs, `dataset`, `data_dir`, `labels`, see `DataOptions`.

    Raises:
        InputError: If a run or a dataset is missing, they do not fit each other, or a file is
            damaged.

    Example:
        >>> report(["runs/E003", "runs/E012"], "report.html")
    """
    # It says what is missing before the seconds that TensorFlow takes.
    run_dirs = [open_run(run_dir).path for run_dir in run_dirs]

    from keras_chrome.report.collect import collect_runs
    from keras_chrome.report.render import render_page

    page = render_page(collect_runs(run_dirs, **data))
    with atomic_path(Path(out).expanduser()) as temporary:
        temporary.write_text(page, encoding="utf-8")
