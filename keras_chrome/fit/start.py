"""Trainings that start from the weights of a finished run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from keras_chrome.data import open_dataset
from keras_chrome.errors import InputError
from keras_chrome.runs import Run, open_run

if TYPE_CHECKING:
    import keras

    from keras_chrome.data import Dataset, Genes
    from keras_chrome.fit.config import FitConfig

_LAST_LAYER = "logit"


def open_start(config: FitConfig, dataset: Dataset, genes: Mapping[str, Genes]) -> Run | None:
    """The run to start from, if the options name one.

    Args:
        config: The options, spelled out.
        dataset: What is to be trained on.
        genes: Its genes by their split.

    Raises:
        InputError: If it is of another variant, marks, bins, transform or task, or was itself, or
            the run that it started from, trained on genes that are to be validated or tested on,
            was chosen by genes that are to be tested on, or has seen the epigenome left out.
    """
    if config.init_from is None:
        return None
    run = open_run(config.init_from)
    bins = dataclasses.asdict(run.config.bins)
    expected = {
        "model": config.model,
        "marks": ", ".join(config.marks or dataset.marks),
        "transform": config.transform,
        "task": config.task,
        **{name: getattr(dataset, name) for name in bins},
    }
    received = {
        "model": run.model_name,
        "marks": ", ".join(run.marks),
        "transform": run.config.arguments["transform"],
        "task": run.task.name,
        **bins,
    }
    if differing := [name for name in expected if expected[name] != received[name]]:
        raise InputError(
            "Expected a run to start from of "
            + "; ".join(f"{name} {expected[name]}" for name in differing)
            + f". Received: {run.path} of "
            + "; ".join(f"{name} {received[name]}" for name in differing)
        )
    held_out, tested = (
        {g for split in splits & genes.keys() for g in genes[split].gene_id}
        for splits in ({"valid", "test"}, {"test"})
    )
    left_out = None
    if config.leave_out is not None:
        left_out = open_dataset(config.leave_out, config.data_dir).epigenome
    earlier: Run | None = run
    while earlier is not None:
        trained_on, chosen_by = (set(earlier.gene_ids(split)) for split in ("train", "valid"))
        if seen := held_out & trained_on | tested & chosen_by:
            raise InputError(
                f"Expected a run to start from that has not seen the validation and test genes. "
                f"Received: {earlier.path}, trained on, or chosen by, {len(seen)} of "
                f"{len(held_out)}; take its --split and --fold"
            )
        if left_out is not None:
            _check_left_out(left_out, earlier)
        before = earlier.config.options.get("init_from")
        earlier = open_run(before) if before else None
    return run


def _check_left_out(left_out: str, run: Run) -> None:
    """See that a run was not trained on the epigenome that is left out."""
    if run.config.dataset is None:
        return
    if left_out in {part.epigenome for part in run.config.dataset.parts}:
        raise InputError(
            f"Expected a run to start from that has not seen the epigenome left out. Received: "
            f"{run.path}, trained on {run.config.dataset.name}, with leave_out={left_out}"
        )


def take_weights(model: keras.Model, run: Run) -> None:
    """Give a model the weights of a run's.

    Raises:
        InputError: If they have other shapes: the run's variant had other options.
    """
    trained: Any = run.load_model()
    weights = trained.get_weights()
    shapes = [[w.shape for w in of] for of in (model.get_weights(), weights)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"Expected a run to start from with the same options of the variant. Received: "
            f"{run.path}, whose weights have other shapes"
        )
    model.set_weights(weights)


@contextmanager
def frozen(model: keras.Model, part: str) -> Iterator[None]:
    """Let a block train only the layer `logit`, if `part` is `encoder`: all before it stays."""
    if part == "none":
        yield
        return
    encoder = [layer for layer in model.layers if layer.name != _LAST_LAYER]
    for layer in encoder:
        layer.trainable = False
    try:
        yield
    finally:
        for layer in encoder:
            layer.trainable = True
