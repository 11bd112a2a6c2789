"""`python -m keras_chrome.beta_map RUN RUN ... --gene PAX5`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.beta_map.output import summary, write_beta_map
from keras_chrome.beta_map.table import GENE, ORDERS, beta_map
from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.runs.files import checked_stem, gene_file_name
from keras_chrome.runs.study import GENE_HELP, DataArguments
from keras_chrome.vocabulary import SPLITS


@dataclass(frozen=True, kw_only=True)
class Options(DataArguments):
    """Options of the command."""

    runs: tuple[Path, ...] = option("run directories, one an epigenome", positional=True)
    gene: tuple[str, ...] = option(f"genes, a panel each: {GENE_HELP}", default=(GENE,))
    order: str = option(
        "epigenomes as given, or the highest expression first", default="given", choices=ORDERS
    )
    split: str | None = option(
        "only genes of this split (default: of any)", default=None, choices=(*SPLITS, "all")
    )
    out: Path | None = option(
        "stem of the files to write, or one of them, ending in .png, .svg, .pdf or .csv (default: "
        "beta_map-GENE, of one run in RUN/figures)",
        default=None,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.beta_map",
        description="Draw the attention to marks for a gene in several epigenomes, beside what is "
        "predicted and what was measured.",
    )
    if given.out:
        checked_stem(given.out)
    quieten_tensorflow()
    table = beta_map(
        given.runs, genes=given.gene, order=given.order, split=given.split, **given.data_options()
    )
    print(summary(table))
    folder = given.runs[0] / "figures" if len(given.runs) == 1 else Path()
    stem = given.out or folder / f"beta_map-{'-'.join(map(gene_file_name, table['gene'].unique()))}"
    print("", *write_beta_map(table, stem), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
