"""`python -m keras_chrome.attend RUN`, or with `--plot PAX5` one gene as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.attend.attention import attend
from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.runs.files import (
    ARRAY_ENDINGS,
    FIGURE_ENDINGS,
    array_ending,
    ending_of,
    gene_file_name,
    write_arrays,
    write_figure,
)
from keras_chrome.runs.study import GENE_HELP, GeneArguments


@dataclass(frozen=True, kw_only=True)
class Options(GeneArguments):
    """Options of the command."""

    run: Path = option("run directory", positional=True)
    plot: str | None = option(
        f"draw this gene of any split: {GENE_HELP}", default=None, metavar="GENE"
    )
    format: str | None = option(
        "of the picture (default: as the name of --out ends, else png)",
        default=None,
        choices=[ending[1:] for ending in FIGURE_ENDINGS],
    )
    out: Path | None = option(
        f"file to write, which ends in {', '.join(ARRAY_ENDINGS)}, or with --plot in "
        f"{', '.join(FIGURE_ENDINGS)} (default: RUN/attention-SPLIT.nc or RUN/plots/GENE.FORMAT)",
        default=None,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.attend",
        description="Write the attention of a run for every gene of a split as NetCDF or as a "
        "table, or draw one gene.",
    )
    is_plot = given.plot is not None
    figure_endings = (f".{given.format}",) if given.format else FIGURE_ENDINGS
    if given.out and is_plot:
        ending_of(given.out, figure_endings)
    elif given.out:
        array_ending(given.out)
    quieten_tensorflow()
    attention = attend(given.run, **given.gene_options(given.plot))
    if is_plot:
        from keras_chrome.attend.figure import draw_gene

        name = gene_file_name(str(attention["gene"].values[0]))
        path = given.out or given.run / "plots" / f"{name}{figure_endings[0]}"
        write_figure(path, draw_gene(attention.isel(gene=0)))
    else:
        path = given.out or given.run / f"attention-{attention.attrs['split']}.nc"
        write_arrays(path, attention)
    print(path)


if __name__ == "__main__":
    run_command(main, InputError)
