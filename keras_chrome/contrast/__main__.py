"""`python -m keras_chrome.contrast RUN_A RUN_B`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.contrast.epigenomes import contrast
from keras_chrome.contrast.output import write_contrast
from keras_chrome.vocabulary import LABELS, SPLITS


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.contrast",
        description="Compare two epigenomes by a run of each: genes that switch between them, "
        "measured and predicted, and what changed in signal, alpha and beta.",
    )
    parser.add_argument("run_a", help="run directory of epigenome A")
    parser.add_argument("run_b", help="run directory of epigenome B, on the same marks")
    parser.add_argument("--split", choices=(*SPLITS, "all"), help="genes (default: test)")
    parser.add_argument("--data-dir", help="where datasets were built (default: as in training)")
    parser.add_argument("--labels", choices=LABELS, help="label rule (default: the runs' own)")
    parser.add_argument(
        "--pseudocount",
        type=float,
        default=1.0,
        help="RPKM added before the log2 fold change (default: %(default)s)",
    )
    parser.add_argument("--out", help="directory to write (default: RUN_A/contrast-RUN_B-SPLIT)")
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    found = contrast(
        given.run_a,
        given.run_b,
        split=given.split,
        data_dir=given.data_dir,
        labels=given.labels,
        pseudocount=given.pseudocount,
    )
    from keras_chrome.contrast.output import format_contrast

    print(format_contrast(found))
    name = f"contrast-{Path(given.run_b).resolve().name}-{given.split or 'test'}"
    directory = Path(given.out) if given.out else Path(given.run_a) / name
    write_contrast(found, directory)
    print(f"\n{directory}")


if __name__ == "__main__":
    run_command(main)
