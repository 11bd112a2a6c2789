"""`python -m keras_chrome.attend RUN`, or with `--plot PAX5` one gene as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.attend.attention import attend
from keras_chrome.command_line import import_tensorflow_quietly, option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.runs.files import FIGURE_FORMATS, write_figure, write_netcdf
from keras_chrome.runs.study import GeneArguments


@dataclass(frozen=True, kw_only=True)
class Options(GeneArguments):
    """Options of the command."""

    run: Path = option("run directory", positional=True)
    plot: str | None = option(
        "draw this gene of any split: Ensembl id or symbol", default=None, metavar="GENE"
    )
    format: str | None = option(
        "of the picture (default: as the name of --out ends, else png)",
        default=None,
        choices=FIGURE_FORMATS,
    )
    out: Path | None = option(
        "file to write (default: RUN/attention-SPLIT.nc or RUN/plots/GENE.FORMAT)", default=None
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.attend",
        description="Write the attention of a run for every gene of a split as NetCDF, "
        "or draw one gene.",
    )
    picture = _picture_path(given) if given.plot else None
    import_tensorflow_quietly()
    attention = attend(given.run, **given.gene_options(given.plot))
    if picture:
        from keras_chrome.attend.figure import draw_gene

        path = picture
        write_figure(path, draw_gene(attention.isel(gene=0)))
    else:
        path = given.out or given.run / f"attention-{attention.attrs['split']}.nc"
        write_netcdf(path, attention)
    print(path)


def _picture_path(given: Options) -> Path:
    """Where the picture goes, in the format that its name ends in."""
    path = given.out or given.run / "plots" / f"{given.plot}.{given.format or 'png'}"
    wanted = (given.format,) if given.format else FIGURE_FORMATS
    if path.suffix.lower().removeprefix(".") not in wanted:
        raise InputError(
            f"Expected a picture's name that ends in .{' or .'.join(wanted)}. Received: out={path}"
        )
    return path


if __name__ == "__main__":
    run_command(main, InputError)
