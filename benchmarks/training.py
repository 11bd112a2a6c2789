"""Training epochs: this project against the PyTorch design that the paper's code follows.

The reference has one `nn.LSTM` a mark, called in a Python loop, and an attention module each; it
is written anew here from that description. Each side lives in a process of its own and trains an
epoch when told to, so that the two take turns on the same machine.

    pip install 'keras-chrome[bench]'
    python benchmarks/training.py --data-dir DATA --dataset remc/E012 --batch-size 16
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
LEARNING_RATE, CLIP_NORM = 1e-4, 1.0


def keras_chrome_epoch(genes: Any, batch_size: int) -> Callable[[], None]:
    import tensorflow as tf

    from keras_chrome.models import build_model, logit_model
    from keras_chrome.training import compiled_trainer, epoch_of_batches

    model = build_model(
        "attentive_chrome",
        marks=[f"mark {i}" for i in range(genes.signal.shape[2])],
        num_bins=genes.signal.shape[1],
        transform="none",
    )
    trainer = compiled_trainer(
        logit_model(model),
        steps=len(genes) // batch_size,
        learning_rate=LEARNING_RATE,
        clip_norm=CLIP_NORM,
    )
    epoch = tf.Variable(0, dtype=tf.int64)
    batches = epoch_of_batches(genes, batch_size, 0, epoch)

    def run() -> None:
        epoch.assign_add(1)
        trainer.fit(batches, verbose=0, shuffle=False)

    return run


def pytorch_epoch(genes: Any, batch_size: int) -> Callable[[], None]:
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.context = nn.Parameter(0.1 * torch.randn(units, 1))

        def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            weights = torch.softmax(hidden @ self.context, dim=1)
            return (weights * hidden).sum(dim=1), weights.squeeze(2)

    class Reference(nn.Module):
        def __init__(self, marks: int) -> None:
            super().__init__()
            self.readers = nn.ModuleList(
                nn.LSTM(1, 32, bidirectional=True, batch_first=True) for _ in range(marks)
            )
            self.attentions = nn.ModuleList(Attention(64) for _ in range(marks))
            self.mark_reader = nn.LSTM(64, 16, bidirectional=True, batch_first=True)
            self.mark_attention = Attention(32)
            self.output = nn.Linear(32, 1)

        def forward(self, signal: torch.Tensor) -> torch.Tensor:
            embeddings = []
            for j, (reader, attention) in enumerate(
                zip(self.readers, self.attentions, strict=True)
            ):
                hidden, _ = reader(signal[:, :, j : j + 1])
                embeddings.append(attention(hidden)[0])
            hidden, _ = self.mark_reader(torch.stack(embeddings, dim=1))
            return self.output(self.mark_attention(hidden)[0]).squeeze(1)

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    model = Reference(genes.signal.shape[2])
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    signal = torch.from_numpy(genes.signal)
    label = torch.from_numpy(genes.label.astype(np.float32))

    def run() -> None:
        order = torch.randperm(len(label))
        for start in range(0, len(label) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(model(signal[rows]), label[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()

    return run


SIDES = {"keras-chrome": keras_chrome_epoch, "PyTorch reference": pytorch_epoch}


def work(side: str, options: argparse.Namespace) -> None:
    """Train an epoch for each line on standard input; answer with its seconds."""
    from keras_chrome.data import load_genes, open_dataset

    genes = load_genes(open_dataset(options.dataset, options.data_dir), "train", labels="published")
    epoch = SIDES[side](genes, options.batch_size)
    epoch()
    print(len(genes), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        epoch()
        print(time.perf_counter() - started, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time training epochs, side by side.")
    parser.add_argument("--dataset", default="remc/E012")
    parser.add_argument("--data-dir")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options)
        return
    workers = {
        side: subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], "--worker", side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for side in SIDES
    }
    num_genes = {side: int(worker.stdout.readline()) for side, worker in workers.items()}
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(options.repeats):
        for side, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            seconds[side].append(float(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()

    import keras
    import tensorflow
    import torch

    print(
        f"{options.dataset}, batch {options.batch_size}, {os.cpu_count()} cores, tensorflow "
        f"{tensorflow.__version__}, keras {keras.__version__}, torch {torch.__version__}; "
        f"median of {options.repeats} epochs, taken in turns"
    )
    medians = {side: statistics.median(times) for side, times in seconds.items()}
    for side, median in medians.items():
        shown = " ".join(f"{s:.2f}" for s in seconds[side])
        print(f"{side:<18} {median:6.2f} s  {num_genes[side] / median:6.0f} genes/s  ({shown})")
    print(f"ratio {medians['PyTorch reference'] / medians['keras-chrome']:.2f}")


if __name__ == "__main__":
    main()
