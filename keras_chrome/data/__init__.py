"""Built `remc` datasets: their genes, splits, and the direction of their bins."""

from keras_chrome.data.dataset import (
    Dataset,
    Genes,
    check_classes,
    epigenome_of,
    load_genes,
    open_dataset,
    read_columns,
)

__all__ = [
    "Dataset",
    "Genes",
    "check_classes",
    "epigenome_of",
    "load_genes",
    "open_dataset",
    "read_columns",
]
