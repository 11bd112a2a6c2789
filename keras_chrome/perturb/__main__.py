"""`python -m keras_chrome.perturb RUN --mark H3K27me3 --scale 0`, or without `--mark` all marks."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.command_line import add_options, import_tensorflow_quietly, run_command
from keras_chrome.errors import InputError
from keras_chrome.perturb.effects import perturb, perturb_all_marks
from keras_chrome.perturb.output import format_matrix, format_perturbation
from keras_chrome.perturb.perturbation import Perturbation
from keras_chrome.runs.files import write_csv, write_figure
from keras_chrome.runs.study import add_study_options, study_options


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.perturb",
        description="Change the signal of a mark and see how a run's predictions change, gene by "
        "gene, or do so for every mark and every pair of marks.",
    )
    parser.add_argument("run", help="run directory")
    add_options(parser, Perturbation)
    parser.add_argument("--all-marks", action="store_true", help="the same as no --mark")
    parser.add_argument("--gene", help="with --mark, one gene of any split: Ensembl id or symbol")
    add_study_options(parser)
    parser.add_argument("--out", help="directory to write to (default: RUN/perturbation)")
    given = parser.parse_args(argv)
    names = ("mark", "scale", "shift_bins", "add", "from_bp", "to_bp")
    perturbation = Perturbation(**{n: getattr(given, n) for n in names if hasattr(given, n)})
    if perturbation.mark is not None and given.all_marks:
        raise InputError(
            f"Expected --mark or --all-marks. Received: both, mark={perturbation.mark!r}"
        )
    if perturbation.mark is None and given.gene:
        raise InputError(f"Expected --mark with --gene. Received: gene={given.gene!r} alone")
    import_tensorflow_quietly()

    directory = Path(given.out) if given.out else Path(given.run) / "perturbation"
    stem = directory / f"{perturbation.name}-{given.gene or given.split or 'test'}"
    path = stem.with_name(f"{stem.name}.csv")
    if perturbation.mark is None:
        from keras_chrome.perturb.figure import draw_perturbation

        matrix = perturb_all_marks(given.run, perturbation, **study_options(given))
        print(format_matrix(matrix, perturbation))
        write_csv(path, matrix)
        write_figure(stem, draw_perturbation(matrix))
    else:
        table = perturb(given.run, perturbation, gene=given.gene, **study_options(given))
        print(format_perturbation(table, perturbation))
        write_csv(path, table)
    print(f"\n{path}")


if __name__ == "__main__":
    run_command(main)
