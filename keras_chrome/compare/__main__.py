"""`python -m keras_chrome.compare RUN --validation-mark H3K27ac`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.command_line import add_options, import_tensorflow_quietly, run_command
from keras_chrome.compare.correlations import CompareConfig, compare
from keras_chrome.compare.output import write_comparison


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.compare",
        description="Correlate the importance of one mark's bins with the signal of a mark that "
        "the runs were not trained on, over genes predicted ON.",
    )
    parser.add_argument("runs", nargs="+", help="run directories")
    add_options(parser, CompareConfig)
    parser.add_argument(
        "--out", help="directory to write (default: each run's part into its own RUN/compare)"
    )
    given = vars(parser.parse_args(argv))
    runs, out = given.pop("runs"), given.pop("out")
    config = CompareConfig(**given)
    import_tensorflow_quietly()
    from keras_chrome.compare.output import comparison_text

    table = compare(runs, config)
    print(f"\n{comparison_text(table)}\n")
    if out:
        parts = {Path(out): table}
    else:
        parts = {Path(run) / "compare": table[table["run"] == run] for run in runs}
    for directory, part in parts.items():
        write_comparison(part, directory)
        print(f"comparison: {directory}")


if __name__ == "__main__":
    run_command(main)
