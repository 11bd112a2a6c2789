"""Read out what a model attends to.

As a command: `python -m keras_chrome.attend RUN`, which writes a NetCDF file, or
`python -m keras_chrome.attend RUN --plot PAX5`, which draws one gene.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from keras_chrome.models.task import CLASSIFICATION
from keras_chrome.runs import open_study

if TYPE_CHECKING:
    import xarray as xr

    from keras_chrome.runs.study import GeneOptions


def attend(run_dir: str | Path, **genes: Unpack[GeneOptions]) -> xr.Dataset:
    """Predict genes and keep the attention.

    Args:
        run_dir: A run directory, of a variant with attention.
        **genes: Which genes: `split`, `gene`, `dataset`, `data_dir`, `labels`, see `GeneOptions`.

    Returns:
        `alpha` (gene, mark, bin), `beta` (gene, mark) if the variant has it, `contribution` (gene,
        mark, bin) if it is additive, and what `Study.to_xarray` adds, `probability` (gene) among
        it.

    Raises:
        InputError: If the run, the dataset or the gene is missing, they do not fit each other, or
            the variant has no attention.
    """
    study = open_study(run_dir, **genes)
    # No variant has beta alone.
    attention: dict[str, Any] = {
        "alpha": (
            ("gene", "mark", "bin"),
            study.attention("alpha"),
            {"units": "1", "long_name": "attention to bins within a mark"},
        )
    }
    if (beta := study.prediction.beta) is not None:
        attributes = {"units": "1", "long_name": "attention to marks"}
        attention["beta"] = (("gene", "mark"), beta, attributes)
    if (contribution := study.prediction.contribution) is not None:
        summed = "logit" if study.run.task is CLASSIFICATION else "predicted expression"
        attributes = {"units": "1", "long_name": f"what a bin adds to the {summed}"}
        attention["contribution"] = (("gene", "mark", "bin"), contribution, attributes)
    return study.to_xarray(attention)
