"""`python -m keras_chrome.beta_map RUN RUN ... --gene PAX5`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.beta_map.output import format_beta_map
from keras_chrome.beta_map.table import GENE, ORDERS, beta_map
from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.runs.files import write_csv, write_figure
from keras_chrome.runs.study import add_study_options, study_options


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.beta_map",
        description="Draw the attention to marks for a gene in several epigenomes, beside what is "
        "predicted and what was measured.",
    )
    parser.add_argument("runs", nargs="+", help="run directories, one an epigenome")
    parser.add_argument(
        "--gene",
        nargs="+",
        default=[GENE],
        help=f"Ensembl ids or symbols, a panel each (default: {GENE})",
    )
    parser.add_argument(
        "--order",
        choices=ORDERS,
        default="given",
        help="epigenomes as given, or the highest expression first (default: %(default)s)",
    )
    add_study_options(parser)
    parser.add_argument(
        "--out",
        help="stem of the files to write (default: beta_map-GENE, of one run in RUN/figures)",
    )
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    table = beta_map(given.runs, genes=given.gene, order=given.order, **study_options(given))
    print(format_beta_map(table))

    from keras_chrome.beta_map.figure import draw_beta_map

    folder = Path(given.runs[0]) / "figures" if len(given.runs) == 1 else Path()
    default = folder / f"beta_map-{'-'.join(table['gene'].unique())}"
    stem = Path(given.out) if given.out else default
    write_figure(stem, draw_beta_map(table))
    write_csv(stem.with_name(f"{stem.name}.csv"), table)
    print("", *(f"{stem}{suffix}" for suffix in (".png", ".svg", ".csv")), sep="\n")


if __name__ == "__main__":
    run_command(main)
