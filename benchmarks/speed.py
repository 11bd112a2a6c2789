"""Measure keras-chrome beside its peers, and write docs/benchmarks.md and docs/benchmarks.png.

Each side runs in a process of its own and works only when told to, so that the sides take turns on
the same machine; a figure is the median of its turns. What was measured is kept in
docs/benchmarks.json, part by part, so a part can be measured anew alone.

    pip install 'keras-chrome[bench]'
    python benchmarks/speed.py --data-dir DATA                # everything
    python benchmarks/speed.py --only training inference      # the rest stays as it was
    python benchmarks/speed.py --only                         # measure nothing, write anew
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from machine import cpu_model
from sides import EXPORTED, OURS, REFERENCE, SIDES, Setting
from speed_text import document
from startup import Command, commands_of, time_commands

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.models.registry import VARIANTS
from keras_chrome.runs import open_run

HERE = Path(__file__).resolve().parent
TRAINING_BATCHES = (16, 64, 256)
INFERENCE_BATCHES = (1, 64, 1024)
# Along each axis the others stay as in the middle setting.
MIDDLE = Setting(batch=64)
GROWTH = {"batch": TRAINING_BATCHES, "bins": (50, 100, 200), "marks": (1, 5, 10)}
BANKS = (1, 2, 4, 8)
PRODUCT_SIZE, PRODUCT_REPEATS = 2048, 10
PACKAGES = ("tensorflow", "keras", "torch", "onnxruntime", "scikit-learn", "numpy")
# What a user may choose from, each trained as `fit` does unless told otherwise.
MODELS = (*VARIANTS, "gradient_boosting", "gradient_boosting_bins", "logistic_regression")


class Worker:
    """A side in another process."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (`close` closes it)
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def ask(self, what: str, **request: Any) -> dict[str, float]:
        """Ask a method of `worker.Worker`, and wait for its answer."""
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"ask": what, **request}) + "\n")
            self.process.stdin.flush()
        if answer := self.process.stdout.readline():
            return json.loads(answer)
        self.errors.seek(0)
        raise RuntimeError(f"The worker of {self.side} ended:\n{self.errors.read()}")

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


@contextlib.contextmanager
def workers(sides: Sequence[str]) -> Iterator[dict[str, Worker]]:
    """A worker a side, ended afterwards."""
    running: dict[str, Worker] = {}
    try:
        for side in sides:
            running[side] = Worker(side)
        # They answer when they have imported their framework, which would disturb the others.
        for worker in running.values():
            worker.ask("peak_memory")
        yield running
    finally:
        for worker in running.values():
            worker.close()


def take_turns(
    running: dict[str, Worker], task: str, settings: list[Setting], options: SpeedOptions
) -> list[dict[str, Any]]:
    """Rows of a side, a setting, its first call and the seconds a step of each of its turns."""
    rows = {
        (side, setting): {"side": side, **setting._asdict(), "step_s": []}
        for setting in settings
        for side in running
    }
    # What compiles comes before all turns, and no turn of it counts.
    for turn_s in [0.0] + [options.turn_seconds] * options.repeats:
        for (side, setting), row in rows.items():
            turn = running[side].ask("turn", task=task, setting=setting, turn_s=turn_s)
            row["first_call_s"] = turn["first_call_s"]
            if turn_s:
                row["step_s"].append(turn["step_s"])
    for (side, setting), row in rows.items():
        shown = " ".join(f"{1e3 * s:.2f}" for s in row["step_s"])
        print(f"{side}, {task}, {tuple(setting)}: {shown} ms", flush=True)
    return list(rows.values())


def measure_training(options: SpeedOptions) -> dict[str, Any]:
    settings = [Setting(batch) for batch in TRAINING_BATCHES]
    with workers(options.trained_sides) as running:
        rows = take_turns(running, "training", settings, options)
    return {"rows": rows, "peak_gflops": peak_gflops(options.sides)}


def measure_inference(options: SpeedOptions) -> dict[str, Any]:
    settings = [Setting(batch) for batch in INFERENCE_BATCHES]
    with workers(options.sides) as running:
        rows = take_turns(running, "prediction", settings, options)
    return {"rows": rows, "peak_gflops": peak_gflops(options.sides)}


def peak_gflops(sides: Sequence[str]) -> float:
    """The machine's float32 peak: the best product of matrices that a side's framework does."""
    best = 0.0
    for side in {OURS, REFERENCE} & set(sides):
        with workers([side]) as running:
            request = {"size": PRODUCT_SIZE, "repeats": PRODUCT_REPEATS}
            best = max(best, running[side].ask("matrix_product", **request)["gflops"])
    return best


def measure_memory(options: SpeedOptions) -> dict[str, Any]:
    rows = []
    for side in options.trained_sides:
        with workers([side]) as running:
            before = running[side].ask("peak_memory")["peak_mib"]
            running[side].ask("turn", task="training", setting=MIDDLE, turn_s=options.turn_seconds)
            peak = running[side].ask("peak_memory")["peak_mib"]
        rows.append({"side": side, "imported_mib": before, "peak_mib": peak})
        print(f"{side}: {before:.0f} MiB imported, {peak:.0f} MiB trained", flush=True)
    return {"rows": rows, "batch": MIDDLE.batch}


def measure_growth(options: SpeedOptions) -> dict[str, Any]:
    settings = dict.fromkeys(
        MIDDLE._replace(**{axis: value}) for axis, values in GROWTH.items() for value in values
    )
    with workers([OURS]) as running:
        return {"rows": take_turns(running, "training", list(settings), options)}


def measure_bank(options: SpeedOptions) -> dict[str, Any]:
    settings = [Setting(batch=TRAINING_BATCHES[0], bank=size) for size in BANKS]
    with workers([OURS]) as running:
        return {"rows": take_turns(running, "training", settings, options)}


def measure_variants(options: SpeedOptions) -> dict[str, Any]:
    """Predictions of every variant, by us and of its exports."""
    settings = [Setting(n, variant=v) for v in VARIANTS for n in INFERENCE_BATCHES]
    with workers([OURS, *EXPORTED]) as running:
        return {"rows": take_turns(running, "prediction", settings, options)}


def measure_models(options: SpeedOptions) -> dict[str, Any]:
    """Whole trainings by `fit`, with its defaults, and what they printed when."""
    rows = []
    for model in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            fit = ["-m", "keras_chrome.fit", "--model", model, "--run-dir", str(run)]
            row = {"model": model, **watch([*fit, *options.data()], folder)}
            metrics = json.loads((run / "metrics.json").read_text())
        for split in ("valid", "test"):
            row[f"{split}_auroc"] = metrics[split]["auroc"]
        print(f"{model}: {row['wall_s']:.1f} s", flush=True)
        rows.append(row)
    return {"rows": rows, "dataset": options.dataset}


def measure_commands(options: SpeedOptions) -> dict[str, Any]:
    """Whole commands on a run of the dataset, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        fit = ["-m", "keras_chrome.fit", "--epochs", "1", "--run-dir", str(run)]
        watch([*fit, *options.data()], folder)
        predictions = open_run(run).predictions
        gene = str(predictions["gene_id"][predictions["split"] == "test"].iloc[0])
        commands = {
            name: Command(arguments, Path(folder))
            for name, arguments in commands_of(run, gene, folder).items()
        }
        times = time_commands(commands, options.repeats)
    rows = [{"command": name, **seconds._asdict()} for name, seconds in times.items()]
    return {"rows": rows, "dataset": options.dataset}


def measure_accuracy(options: SpeedOptions) -> dict[str, Any]:
    """Two whole commands, one after the other, and what they printed when."""
    data = [*options.data(), "--epochs", str(options.epochs)]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        fit = ["-m", "keras_chrome.fit", "--preset", "paper", "--run-dir", str(run)]
        ours = {"side": OURS, **watch([*fit, *data], folder)}
        ours["test_auroc"] = json.loads((run / "metrics.json").read_text())["test"]["auroc"]
        reference = {
            "side": REFERENCE,
            **watch([str(HERE / "pytorch_reference.py"), *data], folder),
        }
    return {
        "rows": [ours, reference],
        "dataset": options.dataset,
        "epochs": options.epochs,
        "target_auroc": options.target_auroc,
    }


def watch(arguments: list[str], folder: str) -> dict[str, Any]:
    """Run a Python command.

    Returns:
        `wall_s` of the whole command, `curve` of its seconds and validation AUROC after each
        epoch, and as far as it printed them `read_s` and `test_auroc`.
    """
    patterns = {"read_s": r"read .* in ([\d.]+) s", "test_auroc": r"test AUROC ([\d.]+)"}
    measured: dict[str, Any] = {"curve": []}
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            seconds = time.perf_counter() - started
            if auroc := re.match(r"epoch \d+(?:/\d+)?: .*AUROC ([\d.]+)", line):
                measured["curve"].append([seconds, float(auroc[1])])
                print(f"{seconds:7.1f} s  {line}", end="", flush=True)
            for name, pattern in patterns.items():
                if value := re.match(pattern, line):
                    measured[name] = float(value[1])
    if process.returncode:
        sys.exit(process.returncode)
    return {"wall_s": time.perf_counter() - started, **measured}


# The accuracy comes first: it fails at once where the dataset is missing.
PARTS = {
    "accuracy": measure_accuracy,
    "models": measure_models,
    "commands": measure_commands,
    "training": measure_training,
    "inference": measure_inference,
    "variants": measure_variants,
    "memory": measure_memory,
    "growth": measure_growth,
    "bank": measure_bank,
}


@dataclass(frozen=True, kw_only=True)
class SpeedOptions:
    """What is measured, and how long."""

    only: tuple[str, ...] | None = option(
        "parts to measure; none: only write anew", default=None, nargs="*", choices=tuple(PARTS)
    )
    skip: tuple[str, ...] = option("parts to leave", default=(), choices=tuple(PARTS))
    sides: tuple[str, ...] = option(
        "what to measure (default: all)", default=tuple(SIDES), choices=tuple(SIDES)
    )
    repeats: int = option("turns of each side", default=5)
    turn_seconds: float = option("least length of a turn", default=1.5)
    dataset: str = option("to train on for the accuracy", default="remc/E012")
    data_dir: Path | None = option(
        "where datasets were built; TFDS's default if left out", default=None
    )
    epochs: int = option("of the accuracy", default=30)
    target_auroc: float = option("validation AUROC to be reached", default=0.74)
    out: Path = option("folder to write (default: docs)", default=HERE.parent / "docs")

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise InputError(f"Expected a positive number. Received: repeats={self.repeats}")

    @property
    def trained_sides(self) -> list[str]:
        """The sides that are more than an export."""
        return [side for side in self.sides if side not in EXPORTED]

    def data(self) -> list[str]:
        """The dataset, as `fit` takes it."""
        data_dir = ["--data-dir", str(self.data_dir.resolve())] if self.data_dir else []
        return ["--dataset", self.dataset, *data_dir]


def circumstances(part: str, options: SpeedOptions) -> dict[str, Any]:
    """What a reader has to know to measure a part again."""
    command = ["python", "benchmarks/speed.py", "--only", part]
    takes_turns = part not in ("accuracy", "models", "memory")
    if takes_turns:
        command += ["--repeats", str(options.repeats)]
    if part in ("accuracy", "models", "commands"):
        command += ["--dataset", options.dataset]
    if part == "accuracy":
        command += ["--epochs", str(options.epochs)]
    elif part not in ("models", "commands"):
        command += ["--turn-seconds", f"{options.turn_seconds:g}"]
    return {
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(command),
        "turns": options.repeats if takes_turns else None,
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        SpeedOptions,
        argv,
        prog="python benchmarks/speed.py",
        description="Measure keras-chrome beside its peers, and write docs/benchmarks.md and .png.",
    )

    kept = options.out / "benchmarks.json"
    parts = json.loads(kept.read_text()) if kept.is_file() else {}
    chosen = PARTS if options.only is None else options.only
    # PyTorch's threads wait for each other actively, so another process costs it most.
    if chosen and (load := os.getloadavg()[0]) > 0.5:
        print(f"warning: the machine is busy (load average {load:.1f}); no ratio is fair on it")
    for part, measure in PARTS.items():
        if part in chosen and part not in options.skip:
            print(f"== {part}", flush=True)
            parts[part] = {**measure(options), "measured": circumstances(part, options)}
            kept.write_text(json.dumps(parts, indent=1) + "\n")

    # Late, as a worker's peak memory is never less than what this process held when it forked.
    from speed_figure import draw

    (options.out / "benchmarks.md").write_text(document(parts))
    draw(parts).savefig(options.out / "benchmarks.png")
    print(f"wrote {options.out / 'benchmarks.md'} and benchmarks.png")


if __name__ == "__main__":
    run_command(main, InputError)
