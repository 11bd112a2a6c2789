"""`python -m keras_chrome.alpha_coverage RUN --mark H3K4me3 --validation-mark H3K27ac`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.alpha_coverage.coverage import MARK, VALIDATION_MARK, alpha_coverage
from keras_chrome.alpha_coverage.output import format_coverage
from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.runs.files import write_csv, write_figure
from keras_chrome.runs.study import add_study_options, study_options


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.alpha_coverage",
        description="Draw the attention of a run to a mark under the signal of a mark that it was "
        "not trained on, over the genes that are expressed and predicted ON.",
    )
    parser.add_argument("run", help="run directory, of a variant with attention over bins")
    parser.add_argument("--mark", default=MARK, help="mark attended to (default: %(default)s)")
    parser.add_argument(
        "--validation-mark",
        default=VALIDATION_MARK,
        help="mark that was not trained on (default: %(default)s)",
    )
    parser.add_argument(
        "--validation-dataset", help="dataset that holds it, if the run's own does not"
    )
    add_study_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument(
        "--out", help="stem of the files to write (default: RUN/figures/alpha_coverage-MARK)"
    )
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    coverage = alpha_coverage(
        given.run,
        mark=given.mark,
        validation_mark=given.validation_mark,
        validation_dataset=given.validation_dataset,
        seed=given.seed,
        **study_options(given),
    )
    print(format_coverage(coverage))

    from keras_chrome.alpha_coverage.figure import draw_alpha_coverage

    default = Path(given.run) / "figures" / f"alpha_coverage-{given.mark}"
    stem = Path(given.out) if given.out else default
    write_figure(stem, draw_alpha_coverage(coverage))
    write_csv(stem.with_name(f"{stem.name}.csv"), coverage.table)
    correlations = coverage.correlations.rename_axis("profile").reset_index()
    write_csv(stem.with_name(f"{stem.name}-correlations.csv"), correlations)
    suffixes = (".png", ".svg", ".csv", "-correlations.csv")
    print("", *(f"{stem}{suffix}" for suffix in suffixes), sep="\n")


if __name__ == "__main__":
    run_command(main)
