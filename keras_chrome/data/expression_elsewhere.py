"""Expression of a dataset's genes in other epigenomes, which needs no mark of its own."""

import csv
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from keras_chrome.data.dataset import Dataset, Genes
from keras_chrome.data.records import build_again
from keras_chrome.errors import InputError, printable

_FILE_NAME = "expression_elsewhere.csv"


def read_expression_elsewhere(dataset: Dataset, gene_id: np.ndarray) -> np.ndarray:
    """The mean of log2(expression + 0.1) of genes in the other epigenomes of the dataset's table.

    Args:
        dataset: From `open_dataset`.
        gene_id: Text `(genes,)`.

    Returns:
        float64 `(genes,)`, NaN where unknown: of every gene, if the dataset was built by an
        earlier version or from expression of its own epigenome alone.

    Raises:
        InputError: If the file that tells them is damaged.
    """
    path = dataset.path / _FILE_NAME
    if not path.is_file():
        return np.full(len(gene_id), np.nan)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            mean_of = {row["gene_id"]: float(row["log2_mean"]) for row in csv.DictReader(file)}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(
            f"Expected columns gene_id and log2_mean, a number. Received: {path} "
            f"({type(error).__name__}: {printable(error)}). {build_again(dataset.path)}"
        ) from None
    return np.array([mean_of.get(gene, np.nan) for gene in gene_id.tolist()])


def mean_elsewhere(
    gene_id: np.ndarray,
    others: Sequence[Genes],
    values: Callable[[Genes], Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """What genes do in other epigenomes, which needs no mark of their own.

    Args:
        gene_id: Text `(genes,)`.
        others: Genes of other epigenomes.
        values: What genes do, numbers `(genes,)` by name, NaN where unknown.

    Returns:
        float64 `(genes,)` by name, the mean over the others; NaN where unknown.
    """
    import pandas as pd

    tables = [pd.DataFrame({"gene_id": genes.gene_id, **values(genes)}) for genes in others]
    if not tables:
        return {}
    means = pd.concat(tables).groupby("gene_id").mean().reindex(gene_id)
    return {str(name): means[name].to_numpy(np.float64) for name in means}
