"""Built `remc` datasets: their genes, splits, and the direction of their bins."""

from keras_chrome.data.dataset import (
    Dataset,
    Genes,
    broken_bins,
    check_classes,
    check_each_once,
    check_signal,
    epigenome_of,
    label_rule,
    load_genes,
    open_dataset,
    read_columns,
    split_title,
)

__all__ = [
    "Dataset",
    "Genes",
    "broken_bins",
    "check_classes",
    "check_each_once",
    "check_signal",
    "epigenome_of",
    "label_rule",
    "load_genes",
    "open_dataset",
    "read_columns",
    "split_title",
]
