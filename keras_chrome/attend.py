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
from keras_chrome.vocabulary import LABELS, SPLITS

if TYPE_CHECKING:
    import xarray as xr


def attend(
    run_dir: str | Path,
    *,
    split: str = "test",
    dataset: str | None = None,
    data_dir: str | None = None,
    labels: str | None = None,
) -> "xr.Dataset":
    """Predict the genes of a split and keep the attention.

    Args:
        run_dir: A run directory, of a variant with attention.
        split: `train`, `valid` or `test`.
        dataset: A built dataset; the run's own if None. It must have the run's bins.
        data_dir: Where datasets were built; where the run found its own if None.
        labels: Label rule; the run's own if None. Genes without such a label are left out.

    Returns:
        Variables `alpha` (gene, mark, bin), `beta` (gene, mark), `signal` (gene, mark, bin),
        `probability`, `label` and `rpkm` (gene). Coordinates: `mark`; `bin`, the start of the bin
        in bp relative to the TSS, along the genome, or along the direction of transcription for
        genes where `oriented` is true; and along gene `gene_id`, `symbol`, `chrom`, `tss`,
        `strand`, `oriented`. Gene is a position, since seven published gene ids stand twice.

    Raises:
        InputError: If the run or the dataset is missing, they do not fit each other, or the
            variant has no attention.
    """
    import numpy as np
    import xarray as xr

    from keras_chrome import __version__
    from keras_chrome.prediction import predict
    from keras_chrome.run_directory import open_run

    run = open_run(run_dir)
    opened = run.open_dataset(dataset, data_dir)
    labels = labels or run.labels
    genes = run.load_genes(split, dataset=opened, labels=labels)
    prediction = predict(run.load_model(), genes.signal)
    attention = {
        name: (dimensions, values)
        for name, dimensions, values in (
            ("alpha", ("gene", "mark", "bin"), prediction.alpha),
            ("beta", ("gene", "mark"), prediction.beta),
        )
        if values is not None
    }
    if not attention:
        raise InputError(f"Expected a variant with attention. Received: model={run.model_name!r}")
    bins = np.arange(opened.num_bins) * opened.bin_bp - opened.flank_bp
    return xr.Dataset(
        {
            **attention,
            "signal": (("gene", "mark", "bin"), genes.signal.transpose(0, 2, 1)),
            "probability": ("gene", prediction.probability),
            "label": ("gene", genes.label),
            "rpkm": ("gene", genes.rpkm),
        },
        coords={
            "mark": list(run.marks),
            "bin": ("bin", bins, {"units": "bp", "long_name": "bin start relative to the TSS"}),
            **{
                name: ("gene", getattr(genes, name))
                for name in ("gene_id", "symbol", "chrom", "tss", "strand", "oriented")
            },
        },
        attrs={
            "dataset": opened.name,
            "split": split,
            "label_rule": labels,
            "variant": run.model_name,
            "bin_bp": opened.bin_bp,
            "source": f"keras-chrome {__version__}",
        },
    )


def find_gene(attention: "xr.Dataset", gene: str) -> "xr.Dataset | None":
    """The gene of that Ensembl id or symbol, the first if it stands twice; None if absent."""
    import numpy as np

    matches = (attention["gene_id"].values == gene) | (attention["symbol"].values == gene)
    positions = np.flatnonzero(matches)
    return attention.isel(gene=positions[0]) if len(positions) else None


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.attend",
        description="Write the attention of a run for every gene of a split as NetCDF, "
        "or draw one gene.",
    )
    parser.add_argument("run", help="run directory")
    parser.add_argument(
        "--split", choices=SPLITS, help="genes to read out (default: test; with --plot, any)"
    )
    parser.add_argument("--dataset", help="built dataset (default: the run's own)")
    parser.add_argument("--data-dir", help="where datasets were built (default: as in training)")
    parser.add_argument("--labels", choices=LABELS, help="label rule (default: the run's own)")
    parser.add_argument("--plot", metavar="GENE", help="draw this gene: Ensembl id or symbol")
    parser.add_argument(
        "--out", help="file to write (default: RUN/attention-SPLIT.nc or RUN/plots/GENE.png)"
    )
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    options = {name: getattr(given, name) for name in ("dataset", "data_dir", "labels")}
    if given.plot:
        path = _plot(given.run, given.plot, given.split, given.out, options)
    else:
        path = _write(given.run, given.split or "test", given.out, options)
    print(path)


def _write(run_dir: str, split: str, out: str | None, options: dict[str, str | None]) -> Path:
    from keras_chrome.run_directory import atomic_path

    attention = attend(run_dir, split=split, **options)
    path = Path(out) if out else Path(run_dir) / f"attention-{split}.nc"
    compressed = {n: {"zlib": True} for n in ("alpha", "beta", "signal") if n in attention}
    # By way of memory: HDF5 does not survive a disk that fills up under it.
    content = attention.to_netcdf(engine="h5netcdf", encoding=compressed)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def _plot(
    run_dir: str, gene: str, split: str | None, out: str | None, options: dict[str, str | None]
) -> Path:
    from keras_chrome.gene_figure import draw_gene
    from keras_chrome.run_directory import atomic_path

    # Most genes that a user names are looked for in the test split first.
    for name in [split] if split else reversed(SPLITS):
        found = find_gene(attend(run_dir, split=name, **options), gene)
        if found is not None:
            break
    else:
        raise InputError(
            f"Expected a gene id or symbol in {f'split {split!r}' if split else 'the dataset'} "
            f"of the run. Received: gene={gene!r}"
        )
    path = Path(out) if out else Path(run_dir) / "plots" / f"{gene}.png"
    with atomic_path(path) as temporary:
        draw_gene(found).savefig(temporary)
    return path


if __name__ == "__main__":
    run_command(main)
