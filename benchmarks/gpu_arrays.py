"""The genes that `gpu.py` trains on, in a file that needs no TensorFlow to be read."""

from pathlib import Path
from typing import NamedTuple

import numpy as np


class Arrays(NamedTuple):
    """Training and validation genes: signal (genes, bins, marks) float32, label (genes,)."""

    train_signal: np.ndarray
    train_label: np.ndarray
    valid_signal: np.ndarray
    valid_label: np.ndarray


def read_arrays(path: Path) -> Arrays:
    """Genes of an .npz file: log(1 + signal), standardised by the training genes."""
    with np.load(path) as file:
        signal, label, split = np.log1p(file["signal"]), file["label"], file["split"]
    is_train, is_valid = split == "train", split == "valid"
    mean = signal[is_train].mean(axis=(0, 1))
    deviation = np.maximum(signal[is_train].std(axis=(0, 1)), 1e-7)
    signal = ((signal - mean) / deviation).astype(np.float32)
    return Arrays(signal[is_train], label[is_train], signal[is_valid], label[is_valid])


def export_arrays(dataset_name: str, path: Path, data_dir: Path | None) -> None:
    """Write the training and validation genes of a built dataset, signal as measured."""
    from keras_chrome.data import load_genes, open_dataset

    dataset = open_dataset(dataset_name, data_dir)
    of_splits = [load_genes(dataset, split) for split in ("train", "valid")]
    np.savez_compressed(
        path,
        signal=np.concatenate([genes.signal for genes in of_splits]),
        label=np.concatenate([genes.label for genes in of_splits]),
        split=np.repeat([genes.split for genes in of_splits], [len(g) for g in of_splits]),
    )


def simulate_arrays(num_genes: int, path: Path) -> None:
    """Write simulated genes, two thirds to train: marks around the TSS follow activity."""
    random = np.random.default_rng(0)
    activity = random.normal(size=num_genes)
    label = activity + random.normal(size=num_genes) > 0
    around_tss = np.exp(-(np.linspace(-5, 5, 100) ** 2))
    # H3K27me3, H3K36me3, H3K4me1, H3K4me3, H3K9me3.
    effect = around_tss[:, None] * [-0.4, 0.4, 0.3, 0.8, -0.3]
    signal = random.poisson(np.exp(activity[:, None, None] * effect)).astype(np.float32)
    split = np.where(np.arange(num_genes) % 3 < 2, "train", "valid")
    np.savez_compressed(path, signal=signal, label=label.astype(np.int8), split=split)
