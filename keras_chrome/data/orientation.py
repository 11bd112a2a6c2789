"""Bins along transcription or along the genome, whichever way a dataset holds them."""

import numpy as np

from keras_chrome.data.dataset import Genes


def along_transcription(values: np.ndarray, genes: Genes, *, bin_axis: int = 1) -> np.ndarray:
    """Values whose bins run in the direction of transcription.

    A gene of unknown strand stays as it is.

    Args:
        values: One value a bin of each gene, `(genes, ..., bins, ...)`, as the dataset's bins run.
        genes: Whose they are.
        bin_axis: The axis of the bins.
    """
    return _flipped(values, (genes.strand == "-") & ~genes.oriented, bin_axis)


def along_genome(values: np.ndarray, genes: Genes, *, bin_axis: int = 1) -> np.ndarray:
    """Values whose bins run from left to right on the chromosome; arguments likewise."""
    return _flipped(values, (genes.strand == "-") & genes.oriented, bin_axis)


def _flipped(values: np.ndarray, is_flipped: np.ndarray, bin_axis: int) -> np.ndarray:
    turned = values.copy()
    turned[is_flipped] = np.flip(values[is_flipped], axis=bin_axis)
    return turned
