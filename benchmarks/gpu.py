"""Training attentive_chrome in each precision on whatever device is there, a GPU for choice.

With KERAS_BACKEND=jax it needs neither TensorFlow nor TensorFlow Datasets. Every side trains in a
process of its own, an epoch when told to, so that all take turns on the same device; genes, their
order and the learning rate are the same for all, and lie on the device beforehand:

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

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from machine import cpu_model

# Many processes share the device: none may take all of its memory at once.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

IMPLEMENTATIONS = ("fused", "stock", "reference")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
CLIP_NORM = 1.0


class Arrays(NamedTuple):
    """Training and validation genes: signal (genes, bins, marks) float32, label (genes,)."""

    train_signal: np.ndarray
    train_label: np.ndarray
    valid_signal: np.ndarray
    valid_label: np.ndarray


class Setting(NamedTuple):
    """What a side trains, and how."""

    implementation: str
    precision: str
    batch_size: int
    learning_rate: float
    seed: int


class Side(Protocol):
    """An implementation of attentive_chrome, with its genes on the device.

    Attributes:
        device: Name of the device.
        versions: Names and versions of the frameworks.
    """

    device: str
    versions: str

    def train(self, rows: np.ndarray) -> None:
        """Take steps, each on a row of `(steps, batch)` positions of genes; return when done."""

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits `(batch,)` of the validation genes at these positions."""

    def peak_bytes(self) -> int | None:
        """Greatest device memory in use so far; None where the device does not say."""


class TensorFlowSide:
    """Keras on TensorFlow."""

    def __init__(self, arrays: Arrays, setting: Setting) -> None:
        import keras
        import tensorflow as tf

        from keras_chrome.fit.loop import compiled_trainer

        trainee = keras_trainee(arrays, setting)
        trainer = compiled_trainer(
            trainee, steps=1, learning_rate=setting.learning_rate, clip_norm=CLIP_NORM
        )
        signal = tf.constant(arrays.train_signal)
        label = tf.constant(arrays.train_label[:, None], tf.float32)
        valid_signal = tf.constant(arrays.valid_signal)

        def step(done: Any, rows: Any) -> tuple[Any, Any]:
            trainer.train_step((tf.gather(signal, rows[done]), tf.gather(label, rows[done])))
            return done + 1, rows

        @tf.function(
            input_signature=[tf.TensorSpec((None, setting.batch_size), tf.int32)], autograph=False
        )
        def train(rows: Any) -> None:
            is_left = lambda done, rows: done < tf.shape(rows)[0]  # noqa: E731
            tf.while_loop(is_left, step, (0, rows), parallel_iterations=1)

        # XLA does not compile cuDNN's operations.
        @tf.function(jit_compile=setting.implementation == "fused", autograph=False)
        def logit(rows: Any) -> Any:
            return trainee(tf.gather(valid_signal, rows), training=False)[:, 0]

        self._train, self._logit = train, logit
        self._last_weight = trainee.trainable_variables[-1]
        self._gpus = tf.config.list_physical_devices("GPU")
        self._memory_info = tf.config.experimental.get_memory_info
        self.device = cpu_name()
        if self._gpus:
            details = tf.config.experimental.get_device_details(self._gpus[0])
            self.device = details.get("device_name", self._gpus[0].name)
        self.versions = f"tensorflow {tf.__version__}, keras {keras.__version__}"

    def train(self, rows: np.ndarray) -> None:
        """Take the steps in one graph."""
        self._train(rows)
        self._last_weight.numpy()  # Waits for the device.

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits, compiled once."""
        return self._logit(rows).numpy()

    def peak_bytes(self) -> int | None:
        """As TensorFlow's allocator counts."""
        return self._memory_info("GPU:0")["peak"] if self._gpus else None


class JaxSide:
    """Keras on JAX."""

    def __init__(self, arrays: Arrays, setting: Setting) -> None:
        import jax
        import keras

        trainee = keras_trainee(arrays, setting)
        # Keras scales the loss of a mixed_float16 model.
        trainee.compile(
            keras.optimizers.Adam(setting.learning_rate, global_clipnorm=CLIP_NORM),
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        trainee.optimizer.build(trainee.trainable_variables)
        signal = jax.device_put(arrays.train_signal)
        label = jax.device_put(arrays.train_label[:, None].astype(np.float32))
        valid_signal = jax.device_put(arrays.valid_signal)

        # Arrays that a function only refers to would be compiled into it.
        def step(state: Any, signal: Any, label: Any, rows: Any) -> Any:
            return trainee.train_step(state, (signal[rows], label[rows]))[1]

        def logit(state: Any, valid_signal: Any, rows: Any) -> Any:
            weights, frozen, *_ = state
            return trainee.stateless_call(weights, frozen, valid_signal[rows])[0][:, 0]

        self._genes, self._valid_signal = (signal, label), valid_signal
        self._step, self._logit = jax.jit(step, donate_argnums=0), jax.jit(logit)
        self._state = tuple(
            [variable.value for variable in variables]
            for variables in (
                trainee.trainable_variables,
                trainee.non_trainable_variables,
                trainee.optimizer.variables,
                trainee.metrics_variables,
            )
        )
        self._wait = jax.block_until_ready
        self._device = jax.devices()[0]
        is_cpu = self._device.platform == "cpu"
        self.device = cpu_name() if is_cpu else self._device.device_kind
        self.versions = f"jax {jax.__version__}, keras {keras.__version__}"

    def train(self, rows: np.ndarray) -> None:
        """Take the steps, each handed to the device before the last one is done."""
        for of_step in rows:
            self._state = self._step(self._state, *self._genes, of_step)
        self._wait(self._state)

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits, compiled once."""
        return np.asarray(self._logit(self._state, self._valid_signal, rows))

    def peak_bytes(self) -> int | None:
        """As XLA's allocator counts."""
        return (self._device.memory_stats() or {}).get("peak_bytes_in_use")


class PyTorchSide:
    """The reference design in PyTorch, with its automatic mixed precision."""

    def __init__(self, arrays: Arrays, setting: Setting) -> None:
        import torch
        from pytorch_models import ReferenceDesign

        self._torch = torch
        self._on_gpu = torch.cuda.is_available()
        kind = "cuda" if self._on_gpu else "cpu"
        torch.manual_seed(setting.seed)
        torch.set_num_threads(os.cpu_count() or 1)
        self._model = ReferenceDesign(arrays.train_signal.shape[2]).to(kind)
        self._optimizer = torch.optim.Adam(self._model.parameters(), setting.learning_rate)
        self._scaler = torch.amp.GradScaler(kind, enabled=setting.precision == "mixed_float16")
        half = torch.float16 if setting.precision == "mixed_float16" else torch.bfloat16
        self._autocast = torch.autocast(kind, half, enabled=setting.precision != "float32")
        self._signal, self._label, self._valid_signal = (
            torch.from_numpy(array).to(kind)
            for array in (
                arrays.train_signal,
                arrays.train_label.astype(np.float32),
                arrays.valid_signal,
            )
        )
        self.device = torch.cuda.get_device_name() if self._on_gpu else cpu_name()
        self.versions = f"torch {torch.__version__}"

    def train(self, rows: np.ndarray) -> None:
        """Take the steps in a Python loop."""
        torch, model = self._torch, self._model
        for of_step in torch.from_numpy(rows).to(self._signal.device):
            self._optimizer.zero_grad()
            with self._autocast:
                logit, *_ = model(self._signal[of_step])
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    logit.float(), self._label[of_step]
                )
            self._scaler.scale(loss).backward()
            self._scaler.unscale_(self._optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            self._scaler.step(self._optimizer)
            self._scaler.update()
        if self._on_gpu:
            torch.cuda.synchronize()

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits, in the precision of the training."""
        with self._torch.inference_mode(), self._autocast:
            logit, *_ = self._model(self._valid_signal[self._torch.from_numpy(rows)])
        return logit.float().cpu().numpy()

    def peak_bytes(self) -> int | None:
        """As PyTorch's allocator counts."""
        return self._torch.cuda.max_memory_allocated() if self._on_gpu else None


def keras_trainee(arrays: Arrays, setting: Setting) -> Any:
    """The model from signal to logit; sides of one backend begin with the same weights."""
    import keras

    from keras_chrome.layers.implementation import ENVIRONMENT_VARIABLE
    from keras_chrome.models import build_model, logit_model

    os.environ[ENVIRONMENT_VARIABLE] = setting.implementation
    keras.config.set_dtype_policy(setting.precision)
    keras.utils.set_random_seed(setting.seed)
    _, num_bins, num_marks = arrays.train_signal.shape
    marks = [f"mark {j}" for j in range(num_marks)]
    model = build_model("attentive_chrome", marks=marks, num_bins=num_bins, transform="none")
    return logit_model(model)


def make_side(arrays: Arrays, setting: Setting) -> Side:
    """Build a side in this process."""
    if setting.implementation == "reference":
        return PyTorchSide(arrays, setting)
    import keras

    sides = {"tensorflow": TensorFlowSide, "jax": JaxSide}
    return sides[keras.backend.backend()](arrays, setting)


def cpu_name() -> str:
    return f"{os.cpu_count()} x {cpu_model()} (CPU)"


def read_arrays(path: str) -> Arrays:
    """Genes of an .npz file: log(1 + signal), standardised by the training genes."""
    with np.load(path) as file:
        signal, label, split = np.log1p(file["signal"]), file["label"], file["split"]
    is_train, is_valid = split == "train", split == "valid"
    mean = signal[is_train].mean(axis=(0, 1))
    deviation = np.maximum(signal[is_train].std(axis=(0, 1)), 1e-7)
    signal = ((signal - mean) / deviation).astype(np.float32)
    return Arrays(signal[is_train], label[is_train], signal[is_valid], label[is_valid])


def export_arrays(dataset_name: str, path: str, data_dir: str | None) -> None:
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


def simulate_arrays(num_genes: int, path: str) -> None:
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


def rows_of_epoch(num_genes: int, setting: Setting, epoch: int) -> np.ndarray:
    """Positions of genes, int32 `(steps, batch)`; who does not fill the last batch is left out."""
    order = np.random.default_rng([setting.seed, epoch]).permutation(num_genes)
    steps = num_genes // setting.batch_size
    return order[: steps * setting.batch_size].reshape(steps, -1).astype(np.int32)


def work(arrays_path: str, setting: Setting) -> None:
    """Be a worker: an epoch for each number on standard input, answers in JSON a line.

    The first answer says that the side is built; the epoch -1 is a single step and one batch of
    validation genes, which compiles.
    """
    # What a library prints to standard output is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        arrays = read_arrays(arrays_path)
        side = make_side(arrays, setting)
        answer(device=side.device, versions=side.versions)
        for line in sys.stdin:
            answer(**epoch_of(side, arrays, setting, int(line)))
    except Exception as error:
        # The other sides go on without this one.
        summary = f"{type(error).__name__}: {' '.join(str(error).split())}"
        answer(error=summary[:200])


def epoch_of(side: Side, arrays: Arrays, setting: Setting, epoch: int) -> dict[str, Any]:
    """Train an epoch, then validate; the training is timed."""
    from sklearn.metrics import roc_auc_score

    rows = rows_of_epoch(len(arrays.train_label), setting, max(epoch, 0))
    num_valid, batch_size = len(arrays.valid_label), setting.batch_size
    if epoch < 0:
        started = time.perf_counter()
        side.train(rows[:1])
        side.logit(np.zeros(batch_size, np.int32))
        return {"wall_s": time.perf_counter() - started}
    started = time.perf_counter()
    side.train(rows)
    wall_s = time.perf_counter() - started
    peak_bytes = side.peak_bytes()
    # The last batch is filled up with the first genes, so that one shape is compiled.
    around = np.arange(-(-num_valid // batch_size) * batch_size, dtype=np.int32) % num_valid
    logit = np.concatenate([side.logit(rows) for rows in around.reshape(-1, batch_size)])
    auroc = float(roc_auc_score(arrays.valid_label, logit[:num_valid]))
    return {"wall_s": wall_s, "peak_bytes": peak_bytes, "auroc": auroc, "num_genes": rows.size}


class Worker:
    """A side in a process of its own, and what it has answered."""

    def __init__(self, arrays_path: str, setting: Setting) -> None:
        self.setting = setting
        self.epochs: list[dict[str, Any]] = []
        self.error = ""
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", json.dumps(setting), "--arrays", arrays_path],
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


def measure(arrays_path: str, settings: Iterable[Setting], epochs: int) -> list[Worker]:
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


def table(workers: Sequence[Worker], target_auroc: float) -> list[str]:
    """A row a side, as Markdown; all of one batch size."""
    header = (
        "side", "precision", "genes/s", "ratio to reference", "peak MiB", "compilation, s",
        f"AUROC after {max(len(worker.epochs) for worker in workers)} epochs",
        f"s to AUROC {target_auroc}",
    )  # fmt: skip
    lines = [header, ("---",) * len(header)]
    speeds = {w.setting[:2]: genes_per_second(w) for w in workers if not w.error}
    reference = speeds.get(("reference", "float32"))
    for worker in workers:
        name = worker.setting[:2]
        if worker.error:
            lines.append((*name, f"failed: {worker.error}", *["-"] * (len(header) - 3)))
            continue
        peak_bytes = worker.epochs[-1]["peak_bytes"]
        seconds = seconds_to_auroc(worker, target_auroc)
        lines.append(
            (
                *name,
                f"{speeds[name]:.0f}",
                f"{speeds[name] / reference:.2f}" if reference else "-",
                f"{peak_bytes / 2**20:.0f}" if peak_bytes is not None else "-",
                f"{worker.compilation['wall_s']:.1f}",
                f"{worker.epochs[-1]['auroc']:.4f}",
                f"{seconds:.1f}" if seconds is not None else "not reached",
            )
        )
    rows = ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines]
    comparison = faster_implementation(speeds)
    return [*rows, "", *comparison] if comparison else rows


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


def report(arrays_path: str, options: argparse.Namespace) -> str:
    """Measure every batch size; Markdown."""
    with np.load(arrays_path) as file:
        num_train = int((file["split"] == "train").sum())
    lines: list[str] = []
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
        lines += ["", f"## Batch {settings[0].batch_size}", ""]
        lines += table(workers, options.target_auroc)
        for worker in workers:
            if device := worker.description.get("device"):
                platforms[f"{device}: {worker.description['versions']}"] = None
        print(f"batch {batch_size} is done", file=sys.stderr)
    source = options.arrays or f"{options.simulated} simulated genes"
    title = [
        f"# attentive_chrome, training: {source}",
        "",
        f"Learning rate {options.learning_rate}, seed {options.seed}; median of {options.epochs} "
        "epochs, in turns.",
        "",
        *(f"- {line}" for line in platforms),
    ]
    return "\n".join([*title, *lines]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arrays", help=".npz of signal (genes, bins, marks), label and split")
    parser.add_argument(
        "--simulated", type=int, default=9900, help="number of genes where no arrays are given"
    )
    parser.add_argument("--export-arrays", nargs=2, metavar=("DATASET", "OUT.npz"))
    parser.add_argument("--data-dir", help="where the dataset to export was built")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 256, 2048])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument(
        "--implementations", nargs="+", choices=IMPLEMENTATIONS, default=IMPLEMENTATIONS
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--target-auroc", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file to write the tables to as well")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.arrays, Setting(*json.loads(options.work)))
        return
    if options.export_arrays:
        export_arrays(*options.export_arrays, options.data_dir)
        return
    with tempfile.TemporaryDirectory() as folder:
        arrays_path = options.arrays
        if not arrays_path:
            arrays_path = str(Path(folder) / "simulated.npz")
            simulate_arrays(options.simulated, arrays_path)
        text = report(arrays_path, options)
    print(text, end="")
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
