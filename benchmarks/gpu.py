"""Training attentive_chrome in each precision on whatever device is there, a GPU for choice.

With KERAS_BACKEND=jax it needs Keras and JAX alone, and PyTorch for the reference. Every side
trains in a process of its own, an epoch when told to, so that all take turns on the same device;
genes, their order and the learning rate are the same for all, and lie on the device beforehand:

- fused: the project's recurrence; on TensorFlow with the training step of `fit`.
- stock: the same with one `keras.layers.LSTM` a mark and direction, which is cuDNN on a GPU.
- reference: the PyTorch design that the paper's code follows, one `nn.LSTM` a mark.

Float32 is what each framework makes of it by default, which on recent GPUs is TF32 in places.
Float16 scales the loss on every side. Compilation is timed apart. A side that fails, such as a
precision that a device does not have, is a row that says so.

    pip install 'keras-chrome[bench]'
    python benchmarks/gpu.py --export-arrays remc/E012 E012.npz --data-dir DATA
    python benchmarks/gpu.py --arrays E012.npz --out tensorflow.md
    KERAS_BACKEND=jax python benchmarks/gpu.py --arrays E012.npz --out jax.md

No figures from a GPU have been taken yet: it has run on CPUs only.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gpu_arrays import export_arrays, simulate_arrays
from gpu_sides import IMPLEMENTATIONS, PRECISIONS, Setting

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.tables import markdown_table

# Many processes share the device: none may take all of its memory at once.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_WORKER = Path(__file__).with_name("gpu_worker.py")


@dataclass(frozen=True, kw_only=True)
class GpuOptions:
    """What is trained on what."""

    arrays: Path | None = option(
        ".npz of signal (genes, bins, marks), label and split", default=None
    )
    simulated: int = option("number of genes where no arrays are given", default=9900)
    export_arrays: tuple[str, str] | None = option(
        "only write such an .npz of a built dataset",
        default=None,
        nargs=2,
        metavar=("DATASET", "OUT.npz"),
    )
    data_dir: Path | None = option("where the dataset to export was built", default=None)
    batch_sizes: tuple[int, ...] = option("genes a step", default=(16, 256, 2048))
    precisions: tuple[str, ...] = option(
        "float32 as each framework has it, or half precision",
        default=PRECISIONS,
        choices=PRECISIONS,
    )
    implementations: tuple[str, ...] = option(
        "fused: the project's recurrence; stock: keras.layers.LSTM, which is cuDNN on a GPU; "
        "reference: PyTorch, one nn.LSTM a mark",
        default=IMPLEMENTATIONS,
        choices=IMPLEMENTATIONS,
    )
    epochs: int = option("epochs of each side, in turns", default=10)
    learning_rate: float = option("of Adam", default=1e-3)
    target_auroc: float = option("validation AUROC to be reached", default=0.8)
    seed: int = option("of weights and of the order of genes", default=0)
    out: Path | None = option("file to write the tables to as well", default=None)

    def __post_init__(self) -> None:
        for name, number in (("epochs", self.epochs), ("batch_sizes", min(self.batch_sizes))):
            if number < 1:
                raise InputError(f"Expected a positive number. Received: {name}={number}")


class Worker:
    """A side in a process of its own, and what it has answered."""

    def __init__(self, arrays_path: Path, setting: Setting) -> None:
        self.setting = setting
        self.epochs: list[dict[str, Any]] = []
        self.error = ""
        self.process = subprocess.Popen(
            [sys.executable, str(_WORKER), str(arrays_path), json.dumps(setting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def started(self) -> None:
        """Wait until the side is built."""
        self.description = self._read()

    def compile(self) -> None:
        """Take the first step."""
        self.compilation = self._ask(-1)

    def epoch(self, number: int) -> None:
        """Train an epoch."""
        self.epochs.append(self._ask(number))

    def end(self) -> None:
        """End the process."""
        self.process.communicate()

    def _ask(self, epoch: int) -> dict[str, Any]:
        if self.error:
            return {}
        self.process.stdin.write(f"{epoch}\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline() or '{"error": "the process ended"}'
        answer = json.loads(line)
        self.error = answer.get("error", "")
        return answer


def measure(arrays_path: Path, settings: Iterable[Setting], epochs: int) -> list[Worker]:
    """Train all of them, an epoch each in turn."""
    workers = [Worker(arrays_path, setting) for setting in settings]
    for worker in workers:
        worker.started()
    # One after the other: compilers time candidates on the device.
    for worker in workers:
        worker.compile()
    for number in range(epochs):
        for worker in workers:
            worker.epoch(number)
    for worker in workers:
        worker.end()
    return workers


def genes_per_second(worker: Worker) -> float:
    return statistics.median(epoch["num_genes"] / epoch["wall_s"] for epoch in worker.epochs)


def table(workers: Sequence[Worker], target_auroc: float) -> str:
    """A row a side, as Markdown; all of one batch size."""
    num_epochs = max(len(worker.epochs) for worker in workers)
    speeds = {w.setting[:2]: genes_per_second(w) for w in workers if not w.error}
    reference = speeds.get(("reference", "float32"))
    rows = []
    for worker in workers:
        name = worker.setting[:2]
        speed, ratio, peak, compilation, auroc, seconds = (f"failed: {worker.error}", *["-"] * 5)
        if not worker.error:
            last = worker.epochs[-1]
            speed = f"{speeds[name]:.0f}"
            ratio = f"{speeds[name] / reference:.2f}" if reference else "-"
            peak = f"{last['peak_bytes'] / 2**20:.0f}" if last["peak_bytes"] is not None else "-"
            compilation = f"{worker.compilation['wall_s']:.1f}"
            auroc = f"{last['auroc']:.4f}"
            reached_s = seconds_to_auroc(worker, target_auroc)
            seconds = f"{reached_s:.1f}" if reached_s is not None else "not reached"
        rows.append(
            {
                "side": name[0],
                "precision": name[1],
                "genes/s": speed,
                "ratio to reference": ratio,
                "peak MiB": peak,
                "compilation, s": compilation,
                f"AUROC after {num_epochs} epochs": auroc,
                f"s to AUROC {target_auroc}": seconds,
            }
        )
    comparison = "\n".join(faster_implementation(speeds))
    return "\n\n".join(filter(None, [markdown_table(rows), comparison]))


def faster_implementation(speeds: Mapping[tuple[str, str], float]) -> list[str]:
    """Which of fused and stock is faster, a line a precision that both have."""
    lines = []
    for precision in PRECISIONS:
        both = [(speeds.get((name, precision), 0.0), name) for name in ("fused", "stock")]
        (slow, slower), (fast, faster) = sorted(both)
        if slow:
            lines.append(f"- {precision}: {faster} is {fast / slow:.2f} times as fast as {slower}.")
    return lines


def seconds_to_auroc(worker: Worker, target_auroc: float) -> float | None:
    """Seconds of training until the end of the first epoch that reaches it, without compilation."""
    elapsed_s = 0.0
    for epoch in worker.epochs:
        elapsed_s += epoch["wall_s"]
        if epoch["auroc"] >= target_auroc:
            return elapsed_s
    return None


def report(arrays_path: Path, options: GpuOptions) -> str:
    """Measure every batch size; Markdown."""
    with np.load(arrays_path) as file:
        num_train = int((file["split"] == "train").sum())
    sections: list[str] = []
    platforms: dict[str, None] = {}
    for batch_size in options.batch_sizes:
        settings = [
            Setting(
                implementation,
                precision,
                min(batch_size, num_train),
                options.learning_rate,
                options.seed,
            )
            for implementation in options.implementations
            for precision in options.precisions
        ]
        workers = measure(arrays_path, settings, options.epochs)
        sections += [f"## Batch {settings[0].batch_size}", table(workers, options.target_auroc)]
        for worker in workers:
            if device := worker.description.get("device"):
                platforms[f"- {device}: {worker.description['versions']}"] = None
        print(f"batch {batch_size} is done", file=sys.stderr)
    title = [
        f"# attentive_chrome, training: {options.arrays or f'{options.simulated} simulated genes'}",
        f"Learning rate {options.learning_rate}, seed {options.seed}; median of {options.epochs} "
        "epochs, in turns.",
        "\n".join(platforms),
    ]
    return "\n\n".join([*title, *sections]) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        GpuOptions,
        argv,
        prog="python benchmarks/gpu.py",
        description="Train attentive_chrome in each precision on whatever device is there, a GPU "
        "for choice; KERAS_BACKEND=jax trains with JAX and needs no TensorFlow.",
    )
    if options.export_arrays:
        dataset, out = options.export_arrays
        export_arrays(dataset, Path(out).expanduser(), options.data_dir)
        return
    with tempfile.TemporaryDirectory() as folder:
        arrays_path = options.arrays or Path(folder) / "simulated.npz"
        if not options.arrays:
            simulate_arrays(options.simulated, arrays_path)
        text = report(arrays_path, options)
    print(text, end="")
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    run_command(main, InputError)
