"""Read out what a model attends to.

As a command: `python -m keras_chrome.attend RUN`, which writes a NetCDF file, or
`python -m keras_chrome.attend RUN --plot PAX5`, which draws one gene.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.errors import InputError
from keras_chrome.runs import open_study

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
) -> xr.Dataset:
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
    from keras_chrome.models.prediction import predict

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
