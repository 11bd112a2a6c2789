"""Train a model on a built dataset.

As a command: `python -m keras_chrome.fit --dataset remc/E012 --run-dir runs/E012`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_chrome.baselines import BASELINES, build_baseline
from keras_chrome.data import load_genes, split_title
from keras_chrome.data.epigenomes import check_held_out, open_datasets
from keras_chrome.data.recorded_signal import as_opened, log_moments
from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate_genes, evaluate_unseen
from keras_chrome.fit.config import FitConfig, changed_options
from keras_chrome.fit.left_out import load_left_out
from keras_chrome.fit.replicas import ALONE, Replicas, lost_workers, open_replicas, worker_of
from keras_chrome.fit.slopes import starting_slopes
from keras_chrome.fit.start import frozen, open_start, take_weights
from keras_chrome.fit.targets import Targets, make_targets
from keras_chrome.models import build_model, logit_model
from keras_chrome.models.backend import require_tensorflow
from keras_chrome.models.registry import option_names
from keras_chrome.models.task import TASKS
from keras_chrome.runs import open_run
from keras_chrome.runs.config import LOCAL_OPTIONS
from keras_chrome.runs.files import write_csv, write_json
from keras_chrome.runs.run import begin_run, remove_run, writing
from keras_chrome.runs.validation_mark import VALIDATION_MARK
from keras_chrome.vocabulary import SPLITS

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from keras_chrome.baselines import Baseline
    from keras_chrome.data import Dataset, Genes
    from keras_chrome.runs import Run

_COUNTED = {"train": "training genes", "valid": "validation", "test": "test"}


def fit(
    config: FitConfig | None = None,
    *,
    callbacks: keras.callbacks.Callback | Sequence[keras.callbacks.Callback] | None = None,
    **options: Any,
) -> Run:
    """Train a model and write a run directory.

    With `strategy="multiworker"` every process of the cluster calls it, and the first one writes.

    Weights of a variant are kept from the epoch with the best validation AUROC. The saved model
    is float32 whatever the precision of training, and its metrics are measured on what is saved.

    Args:
        config: The options.
        callbacks: Keras's or one's own, one or several, called as Keras's own `fit` does: at the
            beginning and end of training and of each epoch, and of some twenty groups of batches
            in it. Logs have `loss`, and at the end of an epoch `val_loss` and `val_auroc`. What
            sets `model.stop_training` ends the training, and the best epoch so far is kept.
            `model` is the one in training, whose answer is the logit; its weights and optimizer
            may be changed. Of a run that is resumed they see the new epochs alone.
        **options: Options by their names in `FitConfig`: all of them, or those that differ from
            `config`.

    Returns:
        The run: model, configuration, splits, history, metrics, predictions.

    Raises:
        InputError: If the dataset is missing or lacks a mark, a split has no gene or only one
            class, the model has no such option, the run directory holds another run, or the loss
            is no longer finite; if there are callbacks of a baseline, which has no epochs, or in
            several processes; if one of these does not come up, or is lost; if Keras does not run
            on TensorFlow, and the model is no baseline.

    Example:
        >>> run = fit(dataset="remc/demo", run_dir="runs/demo")
        >>> run.metrics["test"]["auroc"]
        >>> run.load_model()
    """
    if config is None:
        config = FitConfig(**options)
    elif options:
        config = dataclasses.replace(config, **options)
    if callbacks and config.model in BASELINES:
        raise InputError(
            f"Expected no callbacks with a baseline, which has no epochs. Received: "
            f"model={config.model!r}, {callbacks=}"
        )
    if callbacks and config.strategy == "multiworker":
        raise InputError(
            "Expected no callbacks with --strategy multiworker, whose workers would not stop "
            f"together. Received: {callbacks=}"
        )
    with ExitStack() as stack:
        if worker_of(config.strategy) == 0:
            stack.enter_context(writing(config.run_dir, "fit"))
        replicas = open_replicas(config.strategy, timeout_s=config.worker_timeout_s)
        stack.enter_context(lost_workers(replicas))
        if replicas.is_chief:
            return _fit(config, _listed(callbacks), replicas)
        # Another process than the chief does the same, and leaves nothing behind.
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        own = dataclasses.replace(config, run_dir=Path(folder) / "run")
        return dataclasses.replace(_fit(own, (), replicas), path=Path(config.run_dir))


def _fit(
    config: FitConfig, callbacks: Sequence[keras.callbacks.Callback], replicas: Replicas
) -> Run:
    if replicas.num_workers > 1:
        _check_same(config, replicas)
    training = prepare(config, replicas=replicas)
    run = begin(training)
    started = time.perf_counter()
    with ExitStack() as stack:
        if config.stream:
            stack.enter_context(as_opened(*(g.signal for g in training.genes.values())))
        if config.model in BASELINES:
            measured = _train_baseline(training)
        else:
            measured = train_variant(training, run, callbacks, replicas)
        if replicas.is_chief:
            finish(training, run, measured, wall_s=time.perf_counter() - started)
    replicas.from_chief(b"")  # It ends no sooner than the others.
    return run


def _check_same(config: FitConfig, replicas: Replicas) -> None:
    """See that every worker has the options of the chief, and the same data."""
    own = LOCAL_OPTIONS - {"resume"} | {"dataset"}
    options = {n: v for n, v in dataclasses.asdict(config).items() if n not in own}
    told = json.dumps([options, _open(config).fingerprint()], default=str).encode()
    if replicas.from_chief(told) != told:
        raise InputError(
            "Expected the options and the dataset of worker 0 on every machine. Received: others "
            f"on worker {replicas.worker}; start all of them with the same command"
        )


class Training(NamedTuple):
    """What a run starts from: its data and its untrained model."""

    config: FitConfig  # spelled out
    dataset: Dataset
    genes: dict[str, Genes]
    targets: Targets  # of the training genes
    arguments: dict[str, Any]  # of the model
    model: keras.Model | Baseline
    left_out: Genes | None = None  # test genes of an epigenome that is not trained on


def prepare(
    config: FitConfig,
    data: tuple[Dataset, dict[str, Genes]] | None = None,
    replicas: Replicas = ALONE,
) -> Training:
    """Load and check all that a training needs, and build the model.

    Args:
        config: The options.
        data: What `load` answers for these options, if that is at hand.
        replicas: The devices that train.

    Raises:
        InputError: As `fit` raises it before it trains.
    """
    # Before the seconds that TensorFlow and the records take.
    dataset = data[0] if data else _open(config)
    check_run_directory(config, dataset)
    dataset.find_marks(config.marks)
    if config.model not in BASELINES:
        require_tensorflow()
    dataset, genes = data or load(config)
    config = spelled_out(config, dataset)
    targets = make_targets(config, dataset, genes["train"])
    left_out = load_left_out(config, dataset, genes)
    start = open_start(config, dataset, genes)
    arguments = _model_arguments(config, dataset, genes["train"], start)
    with replicas.scope():
        model = _build(config, arguments, start)
    return Training(config, dataset, genes, targets, arguments, model, left_out)


def _open(config: FitConfig) -> Dataset:
    any_mark = bool(config.recipe().mark_dropout)
    return open_datasets(
        config.dataset, config.data_dir, any_mark=any_mark, leave_out=config.leave_out
    )


def begin(training: Training) -> Run:
    """Begin a run, or go on with it: the directory says what it is, and has its `splits.csv`."""
    import pandas as pd

    config, dataset, genes = training.config, training.dataset, training.genes
    if config.overwrite:
        remove_run(Path(config.run_dir))
    kind = "baseline" if config.model in BASELINES else "variant"
    run = begin_run(
        config.run_dir,
        options=dataclasses.asdict(config),
        model={kind: config.model, **training.arguments},
        dataset=dataset.description(),
    )
    print(_first_lines(config, dataset, genes), flush=True)
    if len(set(oriented := genes["train"].oriented.tolist())) > 1:
        print(
            f"warning: bins run along transcription for {sum(oriented):,} of {len(oriented):,} "
            "training genes only: elsewhere genes of the minus strand may look reversed",
            file=sys.stderr,
        )
    splits = [{"gene_id": g.gene_id, "split": g.split} for g in genes.values()]
    table = pd.concat(map(pd.DataFrame, splits))
    # A gene is in one split of all epigenomes.
    write_csv(run.path / "splits.csv", table.drop_duplicates() if dataset.parts else table)
    if config.resume and not run.checkpoint_path.exists():
        print("nothing to resume: no epoch is over yet, and the training begins anew", flush=True)
    return run


def _first_lines(config: FitConfig, dataset: Dataset, genes: Mapping[str, Genes]) -> str:
    """What is trained, on which genes and marks, and what that rules out later."""
    counts = ", ".join(f"{len(of_split):,} {_COUNTED[s]}" for s, of_split in genes.items())
    marks = dataset.find_marks(config.marks)
    line = (
        f"{dataset.epigenome}: {len(marks)} marks: {', '.join(marks)}\n"
        f"{counts} ({split_title(config.split, dataset)}), "
        f"{TASKS[config.task].title(config.labels, dataset.unit)}\n"
        f"model {config.model}, {dataset.num_bins} bins of each mark, {config.targets} targets"
    )
    for part in dataset.parts:
        if part.missing:
            line += f"\n{part.epigenome} lacks {', '.join(part.missing)}: zero in every bin"
    if config.leave_out is not None:
        line += f"\nleft out, to be tested on the same genes: {config.leave_out}"
    if config.init_from is not None:
        line += f"\nstarts from {config.init_from}" + (
            ", all but the layer logit frozen" if config.freeze == "encoder" else ""
        )
    others = [mark for mark in marks if mark != VALIDATION_MARK]
    if VALIDATION_MARK not in marks or len(others) < 2:
        return line
    return (
        f"{line}\n{VALIDATION_MARK} is trained on, so that importance cannot be held against it "
        f"later:\n"
        f"to leave it out, --marks {' '.join(others)}"
    )


def finish(training: Training, run: Run, measured: Mapping[str, Any], *, wall_s: float) -> None:
    """Calibrate and save a trained model and write its metrics: then the run is whole.

    Args:
        training: Whose model is trained now.
        run: Its run directory.
        measured: What was measured in training, for `metrics.json`.
        wall_s: What the training took.
    """
    started = time.perf_counter()
    if training.config.calibrate == "temperature":
        from keras_chrome.models.temperature import calibrate

        valid = training.genes["valid"]
        temperature = calibrate(training.model, valid.signal, valid.label)
        measured = {**measured, "temperature": temperature}
    run.save_model(training.model)
    genes = [training.genes["valid"], training.genes["test"]]
    options: Any = {"labels": training.config.labels, "unit": training.dataset.unit}
    metrics = evaluate_genes(run, genes, **options)
    if training.left_out is not None:
        left_out = training.left_out
        directory = run.path / "left_out"
        unseen = evaluate_unseen(run, [left_out], genes, directory=directory, **options)
        metrics["left_out"] = {"epigenome": str(left_out.epigenome[0]), **unseen["test"]}
    wall_s += time.perf_counter() - started
    write_json(run.path / "metrics.json", {**metrics, **measured, "wall_s": wall_s})


def spelled_out(config: FitConfig, dataset: Dataset) -> FitConfig:
    """The options with nothing left open.

    The dataset and its marks have the names that the dataset gives them; what is left out of the
    targets and the recipe is filled in.

    Raises:
        InputError: If the dataset lacks a mark.
    """
    return dataclasses.replace(
        config,
        dataset=_spelled_dataset(config.dataset, dataset),
        marks=dataset.find_marks(config.marks),
        targets=config.chosen_targets(*dataset.medians),
        **dataclasses.asdict(config.recipe()),
    )


def _spelled_dataset(given: str, dataset: Dataset) -> str:
    """What the run opens its dataset by: folders stay folders."""
    is_folder = any(Path(name).expanduser().is_dir() for name in (given, *given.split("+")))
    if not is_folder:
        return dataset.name
    return "+".join(str(part.path) for part in dataset.parts) or given


def load(config: FitConfig, splits: Sequence[str] = SPLITS) -> tuple[Dataset, dict[str, Genes]]:
    """The dataset and its splits, each checked to have both classes, or known expression.

    Args:
        config: The options.
        splits: Those that are wanted. Of the dataset's own no other is read; with another scheme
            all genes are, to be assigned, and the others dropped.

    Raises:
        InputError: If the dataset is missing or lacks a mark, a split has not these, or a gene is
            in different splits of several epigenomes.
    """
    from keras_chrome.data.splits import assign_splits

    task = TASKS[config.task]
    dataset = _open(config)
    options: Any = {"marks": config.marks, "labels": config.labels, "stream": config.stream}
    if config.split == "dataset":
        genes = {split: task.known(load_genes(dataset, split, **options)) for split in splits}
        num_unlabelled = sum(of_split.num_unlabelled for of_split in genes.values())
    else:
        every_gene = task.known(load_genes(dataset, **options))
        num_unlabelled = every_gene.num_unlabelled
        split_of_gene = assign_splits(
            config.split,
            gene_id=every_gene.gene_id,
            chrom=every_gene.chrom,
            tss=every_gene.tss,
            flank_bp=dataset.flank_bp,
            seed=config.split_seed,
            num_folds=config.num_folds,
            fold=config.fold,
        )
        genes = {split: every_gene.subset(split, split_of_gene == split) for split in splits}
    if dataset.parts:
        check_held_out(genes)
    if num_unlabelled:
        print(f"{num_unlabelled} genes left out, {task.without(config.labels)}")
    if config.permute_labels:
        rng = np.random.default_rng(config.seed)
        for split in ("train", "valid"):
            # Soft targets come from the expression, and belong to their labels.
            rows = genes[split].by_epigenome().values()
            order = np.concatenate([of_one[rng.permutation(len(of_one))] for of_one in rows])
            shuffled = {name: getattr(genes[split], name)[order] for name in ("label", "rpkm")}
            genes[split] = dataclasses.replace(genes[split], **shuffled)
    for of_split in genes.values():
        task.check(of_split, dataset, config.labels)
    return dataset, genes


def _model_arguments(
    config: FitConfig, dataset: Dataset, train_genes: Genes, start: Run | None
) -> dict[str, Any]:
    """The arguments that build the model, which the run keeps."""
    arguments = {
        "marks": list(dataset.find_marks(config.marks)),
        "num_bins": dataset.num_bins,
        "transform": config.transform,
        **TASKS[config.task].arguments(),
    }
    if config.model in BASELINES:
        return {**arguments, "bin_bp": dataset.bin_bp}
    if "slopes" in option_names(config.model):
        task = TASKS[config.task]
        arguments["slopes"] = starting_slopes(train_genes, config.transform, task)
    if start is not None:
        # What its first layer learned to read is signal on this scale.
        scale = {
            name: start.config.arguments.get(name) for name in ("signal_mean", "signal_variance")
        }
        return {**arguments, **scale, **config.variant_options()}
    mean, variance = log_moments(train_genes.signal)
    return {
        **arguments,
        "signal_mean": mean.tolist(),
        "signal_variance": variance.tolist(),
        **config.variant_options(),
    }


def _build(
    config: FitConfig, arguments: dict[str, Any], start: Run | None
) -> keras.Model | Baseline:
    if config.model in BASELINES:
        return build_baseline(config.model, seed=config.seed, **arguments)

    import keras

    keras.utils.set_random_seed(config.seed)
    model = build_model(config.model, **arguments)
    if start is not None:
        take_weights(model, start)
    return model


def _train_baseline(training: Training) -> dict[str, Any]:
    """Fit a baseline; what was measured on the way."""
    started = time.perf_counter()
    baseline, genes, valid = training.model, training.genes["train"], training.genes["valid"]
    is_hard, task = training.config.targets == "hard", TASKS[training.config.task]
    baseline.fit(
        genes.signal,
        task.truth(genes),
        target=None if is_hard else training.targets.target,
        valid=(valid.signal, task.truth(valid)),
    )
    genes_per_second = len(genes) / (time.perf_counter() - started)
    if text := baseline.describe():
        print(f"\n{text}")
    return {"genes_per_second": genes_per_second}


def _listed(
    callbacks: keras.callbacks.Callback | Sequence[keras.callbacks.Callback] | None,
) -> Sequence[keras.callbacks.Callback]:
    if callbacks is None:
        return ()
    return callbacks if isinstance(callbacks, Sequence) else (callbacks,)


def train_variant(
    training: Training,
    run: Run,
    callbacks: Sequence[keras.callbacks.Callback],
    replicas: Replicas = ALONE,
) -> dict[str, Any]:
    """Train a variant; what was measured on the way.

    Raises:
        InputError: If the loss is no longer finite.
    """
    from keras_chrome.fit.loop import train
    from keras_chrome.layers.implementation import use_recurrence

    config, model, genes = training.config, training.model, training.genes
    precision = _resolve_precision(config.precision)
    trainee = model
    if precision != "float32":
        print(f"training in {precision}")
        with _dtype_policy(precision), replicas.scope():
            trainee = build_model(config.model, **training.arguments)
        if config.init_from is not None:
            trainee.set_weights(model.get_weights())  # type: ignore[union-attr]
    with use_recurrence(config.recurrence), frozen(trainee, config.freeze):
        history = train(
            logit_model(trainee),
            model,
            genes["train"],
            genes["valid"],
            run=run,
            recipe=config.recipe(),
            targets=training.targets,
            seed=config.seed,
            epigenome_bias=config.epigenome_bias,
            task=TASKS[config.task],
            resume=config.resume,
            callbacks=callbacks,
            replicas=replicas,
        )
    return {"training_precision": precision, **measured_in_training(history)}


def measured_in_training(history: pd.DataFrame) -> dict[str, Any]:
    """What `metrics.json` says of a training, from its history."""
    return {
        "genes_per_second": float(history["genes_per_second"].median()),
        "epochs_run": len(history),
        "best_epoch": 1 + int(history[_monitored(history)].argmax()),
    }


def _monitored(history: pd.DataFrame) -> str:
    """The column by which the epoch was chosen."""
    known = (f"val_{task.monitor}" for task in TASKS.values())
    return next(name for name in known if name in history)


def check_run_directory(config: FitConfig, dataset: Dataset) -> None:
    """See that the run directory is free, or holds the very run to resume.

    Raises:
        InputError: If it holds a run and `resume` is not set, or one with other options or data.
    """
    path = Path(config.run_dir)
    if config.overwrite or not (path / "config.json").exists():
        return
    if not config.resume:
        raise InputError(
            f"Expected a run directory of its own. Received: run_dir={str(path)!r}, which holds "
            "a run; take another, go on with that run with --resume, or replace it with "
            "--overwrite"
        )
    run = open_run(path)
    if run.config.dataset is None or run.config.dataset.fingerprint != dataset.fingerprint():
        raise InputError(
            f"Expected the dataset that {path} was begun on. Received: {dataset.path}, which has "
            "been built anew with other contents"
        )
    # A schedule is one of so many epochs.
    free = LOCAL_OPTIONS | {"patience"}
    if config.recipe().schedule == "constant":
        free |= {"epochs"}
    if changed := changed_options(config, run.config, free=free):
        raise InputError(
            f"Expected the options of the run to resume in {path}. Received: {', '.join(changed)}"
        )


def warn_of_other_data(config: FitConfig, earlier: Run) -> None:
    """Say so if a dataset has other contents than when an earlier run was trained on it."""
    then = earlier.config.dataset
    if then is not None and then.fingerprint != _open(config).fingerprint():
        print(
            f"warning: {config.dataset} has other contents than when {earlier.path} was trained "
            "on it: this will be another run",
            file=sys.stderr,
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
