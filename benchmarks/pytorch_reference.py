"""Train the PyTorch reference design as the paper does, and print the AUROC after every epoch.

It does what `python -m keras_chrome.fit --preset paper` does, and prints it in the same form.

    pip install 'keras-chrome[bench]'
    python benchmarks/pytorch_reference.py --dataset remc/E012
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.vocabulary import CORE_MARKS

if TYPE_CHECKING:
    from torch import nn

    from keras_chrome.data import Genes

BATCH_SIZE, PREDICTION_BATCH_SIZE = 16, 512

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@dataclass(frozen=True, kw_only=True)
class ReferenceOptions:
    """What is trained on, and how long."""

    dataset: str = option("a built dataset", default="remc/E012")
    data_dir: Path | None = option(
        "where datasets were built; TFDS's default if left out", default=None
    )
    epochs: int = option("epochs", default=30)


def read(dataset_name: str, data_dir: Path | None) -> list[Genes]:
    """The genes of the three splits."""
    from keras_chrome.data import load_genes, open_dataset

    dataset = open_dataset(dataset_name, data_dir)
    return [
        load_genes(dataset, split, marks=CORE_MARKS, labels="published")
        for split in ("train", "valid", "test")
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        ReferenceOptions,
        argv,
        prog="python benchmarks/pytorch_reference.py",
        description="Train the PyTorch reference design as the paper does, and print the AUROC "
        "after every epoch.",
    )
    started = time.perf_counter()
    # In a process of its own: PyTorch with CUDA crashes where TensorFlow is loaded.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        train, valid, test = process.submit(read, options.dataset, options.data_dir).result()
    # TensorFlow reads the records; its start is no fault of PyTorch's.
    print(f"read {options.dataset} in {time.perf_counter() - started:.1f} s", flush=True)

    import torch
    from pytorch_models import ReferenceDesign
    from pytorch_sides import train_step
    from sides import LEARNING_RATE
    from sklearn.metrics import roc_auc_score

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    model = ReferenceDesign(train.signal.shape[2])
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    signal = torch.from_numpy(train.signal)
    label = torch.from_numpy(train.label.astype(np.float32))
    best_auroc, best_state = 0.0, model.state_dict()
    for epoch in range(1, options.epochs + 1):
        started = time.perf_counter()
        order = torch.randperm(len(train))
        last = len(order) - BATCH_SIZE + 1
        losses = [
            train_step(model, optimizer, signal[rows], label[rows])
            for rows in (order[start : start + BATCH_SIZE] for start in range(0, last, BATCH_SIZE))
        ]
        wall_s = time.perf_counter() - started
        auroc = roc_auc_score(valid.label, predict(model, valid.signal))
        best = ""
        if auroc > best_auroc:
            best_auroc, best_state, best = auroc, copy.deepcopy(model.state_dict()), " (best)"
        print(
            f"epoch {epoch}: loss {np.mean(losses):.4f}, validation AUROC {auroc:.4f}{best}, "
            f"{wall_s:.1f} s",
            flush=True,
        )
    model.load_state_dict(best_state)
    print(f"test AUROC {roc_auc_score(test.label, predict(model, test.signal)):.4f}")


def predict(model: nn.Module, signal: np.ndarray) -> Any:
    """Logits of all genes."""
    import torch

    with torch.inference_mode():
        batches = torch.from_numpy(signal).split(PREDICTION_BATCH_SIZE)
        return torch.cat([model(batch)[0] for batch in batches]).numpy()


if __name__ == "__main__":
    run_command(main, InputError)
