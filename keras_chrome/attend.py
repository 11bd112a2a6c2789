"""Read out what a model attends to.

As a command: `python -m keras_chrome.attend RUN`, which writes a NetCDF file, or
`python -m keras_chrome.attend RUN --plot PAX5`, which draws one gene.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.errors import InputError
from keras_chrome.run_directory import atomic_path, write_netcdf
from keras_chrome.study import add_study_options, open_study, study_options

if TYPE_CHECKING:
    import xarray as xr


def attend(
    run_dir: str | Path,
    *,
    split: str | None = None,
    gene: str | None = None,
    dataset: str | None = None,
    data_dir: str | None = None,
    labels: str | None = None,
) -> "xr.Dataset":
    """Predict genes and keep the attention.

    Args:
        run_dir: A run directory, of a variant with attention.
        split: `train`, `valid`, `test` or `all`; `test` if None, and with a gene any.
        gene: This one only: Ensembl id or symbol.
        dataset: A built dataset; the run's own if None. It must have the run's bins.
        data_dir: Where datasets were built; where the run found its own if None.
        labels: Label rule; the run's own if None. Genes without such a label are left out.

    Returns:
        `alpha` (gene, mark, bin), `beta` (gene, mark) and `probability` (gene), and what
        `Study.to_xarray` adds.

    Raises:
        InputError: If the run, the dataset or the gene is missing, they do not fit each other, or
            the variant has no attention.
    """
    from keras_chrome.prediction import predict

    study = open_study(
        run_dir, split=split, gene=gene, dataset=dataset, data_dir=data_dir, labels=labels
    )
    prediction = predict(study.model, study.genes.signal)
    attention = {
        name: (dimensions, values)
        for name, dimensions, values in (
            ("alpha", ("gene", "mark", "bin"), prediction.alpha),
            ("beta", ("gene", "mark"), prediction.beta),
        )
        if values is not None
    }
    if not attention:
        raise InputError(
            f"Expected a variant with attention. Received: model={study.run.model_name!r}"
        )
    return study.to_xarray({**attention, "probability": ("gene", prediction.probability)})


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


def _draw(attention: "xr.Dataset", path: Path) -> None:
    from keras_chrome.gene_figure import draw_gene

    with atomic_path(path) as temporary:
        draw_gene(attention.isel(gene=0)).savefig(temporary)


if __name__ == "__main__":
    run_command(main)
