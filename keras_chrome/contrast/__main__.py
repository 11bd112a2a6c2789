"""`python -m keras_chrome.contrast RUN_A RUN_B`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.contrast.epigenomes import contrast
from keras_chrome.contrast.output import summary, write_contrast
from keras_chrome.errors import InputError
from keras_chrome.runs.files import checked_directory
from keras_chrome.runs.study import ThresholdArguments
from keras_chrome.vocabulary import LABELS, SPLITS


@dataclass(frozen=True, kw_only=True)
class Options(ThresholdArguments):
    """Options of the command."""

    run_a: Path = option("run directory of epigenome A", positional=True)
    run_b: Path = option("run directory of epigenome B, on the same marks", positional=True)
    split: str = option("genes", default="test", choices=(*SPLITS, "all"))
    dataset: tuple[str, ...] | None = option(
        "built datasets, of A and of B, which a run that was trained on several needs (default: "
        "the runs' own)",
        default=None,
    )
    data_dir: Path | None = option(
        "where datasets were built (default: as in training)", default=None
    )
    labels: str | None = option("label rule (default: the runs' own)", default=None, choices=LABELS)
    pseudocount: float = option("expression added before the log2 fold change", default=1.0)
    out: Path | None = option(
        "directory to write (default: RUN_A/contrast-RUN_B-SPLIT)", default=None
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.contrast",
        description="Contrast two epigenomes by a run of each: genes that switch between them, "
        "measured and predicted, and what changed in signal, alpha and beta.",
    )
    if given.out:
        checked_directory(given.out)
    quieten_tensorflow()
    found = contrast(
        given.run_a,
        given.run_b,
        split=given.split,
        dataset=given.dataset,
        data_dir=given.data_dir,
        labels=given.labels,
        pseudocount=given.pseudocount,
        on_threshold=given.on_threshold,
    )
    print(summary(found))
    name = f"contrast-{given.run_b.resolve().name}-{given.split}"
    directory = given.out or given.run_a / name
    print("", *write_contrast(found, directory), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
