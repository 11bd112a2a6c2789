"""`python -m keras_chrome.attend RUN`, or with `--plot PAX5` one gene as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.attend.attention import attend
from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.runs.files import atomic_path, write_netcdf
from keras_chrome.runs.study import add_study_options, study_options

if TYPE_CHECKING:
    import xarray as xr


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.attend",
        description="Write the attention of a run for every gene of a split as NetCDF, "
        "or draw one gene.",
    )
    parser.add_argument("run", help="run directory")
    add_study_options(parser)
    parser.add_argument(
        "--plot", metavar="GENE", help="draw this gene of any split: Ensembl id or symbol"
    )
    parser.add_argument(
        "--out", help="file to write (default: RUN/attention-SPLIT.nc or RUN/plots/GENE.png)"
    )
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    attention = attend(given.run, gene=given.plot, **study_options(given))
    run = Path(given.run)
    if given.plot:
        path = Path(given.out) if given.out else run / "plots" / f"{given.plot}.png"
        _draw(attention, path)
    else:
        path = Path(given.out) if given.out else run / f"attention-{attention.attrs['split']}.nc"
        write_netcdf(path, attention)
    print(path)


def _draw(attention: xr.Dataset, path: Path) -> None:
    from keras_chrome.attend.figure import draw_gene

    with atomic_path(path) as temporary:
        draw_gene(attention.isel(gene=0)).savefig(temporary)


if __name__ == "__main__":
    run_command(main)
