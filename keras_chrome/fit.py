"""Train a model on a built dataset.

As a command: `python -m keras_chrome.fit --dataset remc/E012 --run-dir runs/E012`.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.command_line import (
    add_options,
    import_tensorflow_quietly,
    option,
    run_command,
)
from keras_chrome.errors import InputError
from keras_chrome.models.registry import VARIANTS
from keras_chrome.vocabulary import (
    CORE_MARKS,
    LABELS,
    MARK_WEIGHTS,
    PRECISIONS,
    SPLITS,
    TRANSFORMS,
)

if TYPE_CHECKING:
    from keras_chrome.data import Dataset, Genes
    from keras_chrome.run_directory import Run


@dataclass(frozen=True)
class FitConfig:
    """Every option of `fit`, with its default.

    Raises:
        InputError: If a value is out of range.
    """

    dataset: str = option("built dataset, such as remc/E012, or the folder of its version")
    run_dir: str = option("run directory to write")
    data_dir: str | None = option(
        "where datasets were built; TFDS's default if left out", default=None
    )
    model: str = option("variant", default="attentive_chrome", choices=tuple(VARIANTS))
    marks: tuple[str, ...] = option("marks to use, in this order", default=CORE_MARKS)
    labels: str = option(
        "median: high if rpkm > the epigenome's median; published: the authors' labels",
        default="median",
        choices=LABELS,
    )
    epochs: int = option("most epochs to train", default=30)
    batch_size: int = option("genes a step", default=16)
    learning_rate: float = option("Adam's learning rate", default=1e-3)
    clip_norm: float = option("greatest norm of a step's gradient; 0 for no limit", default=1.0)
    dropout: float = option("dropout rate of the mark and gene embeddings", default=0.0)
    seed: int = option("seed of weights and shuffling", default=0)
    precision: str = option(
        "auto: mixed_float16 on a GPU with tensor cores, else float32",
        default="auto",
        choices=PRECISIONS,
    )
    transform: str = option(
        "log1p: log(1 + signal), standardised; none: the signal as it is",
        default="log1p",
        choices=TRANSFORMS,
    )
    mark_weights: str = option(
        "separate: one LSTM a mark; shared: one for all", default="separate", choices=MARK_WEIGHTS
    )
    patience: int = option("epochs without a better validation AUROC before stopping", default=5)
    resume: bool = option("go on with the run in --run-dir", default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", tuple(self.marks))
        for name, known in (
            ("model", tuple(VARIANTS)),
            ("labels", LABELS),
            ("precision", PRECISIONS),
            ("transform", TRANSFORMS),
            ("mark_weights", MARK_WEIGHTS),
        ):
            if (value := getattr(self, name)) not in known:
                raise InputError(f"Expected one of {known}. Received: {name}={value!r}")
        for name in ("epochs", "batch_size", "patience"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")
        if not self.learning_rate > 0:
            raise InputError(
                f"Expected a positive number. Received: learning_rate={self.learning_rate}"
            )
        if not self.clip_norm >= 0:
            raise InputError(f"Expected zero or more. Received: clip_norm={self.clip_norm}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"Expected a rate in [0, 1). Received: dropout={self.dropout}")
        if not self.marks or len(set(self.marks)) < len(self.marks):
            raise InputError(
                f"Expected each mark once, and at least one. Received: marks={self.marks}"
            )


PRESETS: dict[str, dict[str, Any]] = {
    # As published: Adam at 1e-4, batches of 16, gradients clipped to norm 1, counts as they are,
    # the authors' labels, the epoch with the best validation AUROC. It levels off before 30.
    "paper": {
        "labels": "published",
        "transform": "none",
        "learning_rate": 1e-4,
        "batch_size": 16,
        "clip_norm": 1.0,
        "dropout": 0.0,
        "epochs": 30,
        "patience": 30,
    },
}


def fit(config: FitConfig) -> "Run":
    """Train a model and write a run directory.

    Weights are kept from the epoch with the best validation AUROC. The saved model is float32
    whatever the precision of training, and its metrics are measured on what is saved.

    Args:
        config: The options.

    Returns:
        The run: model, configuration, history, metrics, predictions.

    Raises:
        InputError: If the dataset is missing or lacks a mark, a split has no gene or only one
            class, the run directory holds another run, or the loss is no longer finite.

    Example:
        >>> run = fit(FitConfig(dataset="remc/demo", run_dir="runs/demo"))
        >>> run.load_model()
    """
    dataset, genes = _load(config)
    _check_run_directory(config, dataset)

    import keras
    import numpy as np

    from keras_chrome.evaluate import evaluate_genes
    from keras_chrome.models import build_model, logit_model
    from keras_chrome.run_directory import new_run, write_json
    from keras_chrome.training import train

    precision = _resolve_precision(config.precision)
    log_signal = np.log1p(genes["train"].signal.astype(np.float64))
    arguments: dict[str, Any] = {
        "marks": list(config.marks),
        "num_bins": dataset.num_bins,
        "transform": config.transform,
        "signal_mean": log_signal.mean(axis=(0, 1)).tolist(),
        "signal_variance": log_signal.var(axis=(0, 1)).tolist(),
        "mark_weights": config.mark_weights,
        "dropout": config.dropout,
    }
    with new_run(
        config.run_dir,
        options=dataclasses.asdict(config),
        model={"variant": config.model, "training_precision": precision, **arguments},
        dataset=dataset.description(),
    ) as run:
        keras.utils.set_random_seed(config.seed)
        model = build_model(config.model, **arguments)
        with _dtype_policy(precision):
            trainee = logit_model(
                model if precision == "float32" else build_model(config.model, **arguments)
            )
        print(
            f"{config.model} on {dataset.name}: {len(genes['train'])} training genes, "
            f"{len(genes['valid'])} validation, {len(genes['test'])} test; {config.labels} "
            f"labels, {len(config.marks)} marks x {dataset.num_bins} bins, {precision}",
            flush=True,
        )
        started = time.perf_counter()
        history = train(
            trainee,
            model,
            genes["train"],
            genes["valid"],
            run=run,
            epochs=config.epochs,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            clip_norm=config.clip_norm or None,
            patience=config.patience,
            seed=config.seed,
            resume=config.resume,
        )
        run.save_model(model)
        metrics = evaluate_genes(run, [genes["valid"], genes["test"]], labels=config.labels)
        metrics |= {
            "genes_per_second": float(history["genes_per_second"].median()),
            "wall_s": time.perf_counter() - started,
            "epochs_run": len(history),
            "best_epoch": 1 + int(history["val_auroc"].argmax()),
        }
        write_json(run.path / "metrics.json", metrics)
    return run


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.fit",
        description="Train a model on a built dataset and write a run directory.",
    )
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="take the defaults from here: paper is the published training; "
        "options given beside it still count",
    )
    add_options(parser, FitConfig)
    given = vars(parser.parse_args(argv))
    preset = given.pop("preset")
    config = FitConfig(**{**PRESETS.get(preset, {}), **given})
    import_tensorflow_quietly()
    run = fit(config)

    from keras_chrome.evaluate import metrics_table

    print(f"\n{metrics_table(json.loads((run.path / 'metrics.json').read_text()))}")
    print(f"\nrun directory: {run.path}")


def _load(config: FitConfig) -> "tuple[Dataset, dict[str, Genes]]":
    """The dataset and its three splits, each checked to have both classes."""
    from keras_chrome.data import load_genes, open_dataset

    dataset = open_dataset(config.dataset, config.data_dir)
    genes = {}
    for split in SPLITS:
        genes[split] = load_genes(dataset, split, marks=config.marks, labels=config.labels)
        if left_out := genes[split].num_unlabelled:
            print(f"{split}: {left_out} genes left out, without {config.labels} label")
    return dataset, genes


def _check_run_directory(config: FitConfig, dataset: "Dataset") -> None:
    """See that the run directory is free, or holds the very run to resume.

    Raises:
        InputError: If it holds a run and `resume` is not set, or one with other options or data.
    """
    from keras_chrome.run_directory import open_run

    path = Path(config.run_dir)
    if not (path / "config.json").exists():
        return
    if not config.resume:
        raise InputError(
            f"Expected a run directory of its own. Received: run_dir={str(path)!r}, which holds "
            "a run; take another, or go on with that run with --resume"
        )
    run = open_run(path)
    if run.config["dataset"].get("fingerprint") != dataset.fingerprint():
        raise InputError(
            f"Expected the dataset that {path} was begun on. Received: {dataset.path}, which has "
            "been built anew with other contents"
        )
    earlier = run.config["options"]
    now = json.loads(json.dumps(dataclasses.asdict(config)))
    free = {"run_dir", "data_dir", "resume", "epochs", "patience"}
    if changed := sorted(k for k in now if k not in free and now[k] != earlier.get(k)):
        raise InputError(
            f"Expected the options of the run to resume in {path}. Received: "
            + ", ".join(f"{k}={now[k]!r} (was {earlier.get(k)!r})" for k in changed)
        )


def _resolve_precision(precision: str) -> str:
    """The dtype policy that `auto` stands for on this machine."""
    if precision != "auto":
        return precision
    import tensorflow as tf

    # Tensor cores came with compute capability 7.0.
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        if details.get("compute_capability", (0, 0)) >= (7, 0):
            return "mixed_float16"
    return "float32"


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Keras's global dtype policy, for a while."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


if __name__ == "__main__":
    run_command(main)
