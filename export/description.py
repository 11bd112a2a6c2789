"""What a client must know of an exported model: its sidecar."""

import dataclasses
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from keras_chrome.errors import InputError
from keras_chrome.runs import Run

SIDECAR_FILE = Path("assets") / "keras_chrome.json"


def describe(runs: Sequence[Run]) -> dict[str, Any]:
    """Describe the model of a run, or the ensemble of several.

    Args:
        runs: Runs of Keras models, at least one.

    Returns:
        The contents of `assets/keras_chrome.json`, which `serving.client` reads as well.

    Raises:
        InputError: If a run is one of a baseline, or what is said of one run does not hold for
            another: only the weights of an ensemble's members may differ.
    """
    for run in runs:
        if run.config.kind == "baseline":
            raise InputError(
                f"Expected a run of a Keras model. Received: {run.path}, a run of the baseline "
                f"{run.model_name}, which has no graph to serve"
            )
    _check_alike(runs)
    config = runs[0].config
    shared = _shared_by_members(runs[0])
    known = {key: shared[key] for key in ("bin_bp", "flank_bp", "oriented", "genome")}
    label_rule = config.dataset and config.dataset.label_rule
    return {
        "format": 1,
        "variant": config.model,
        "members": len(runs),
        "seeds": [run.config.seed for run in runs],
        "marks": list(config.marks),
        "num_bins": config.bins.num_bins,
        "transform": config.arguments["transform"],
        "probability_of": "high expression",
        "label_rule": "as published" if config.labels == "published" else label_rule,
        "dataset": shared["dataset"],
        **known,
        "versions": {
            package: version(package) for package in ("keras-chrome", "tensorflow", "keras")
        },
    }


def _check_alike(runs: Sequence[Run]) -> None:
    first, *others = runs
    expected = _shared_by_members(first)
    for run in others:
        for key, received in _shared_by_members(run).items():
            if received != expected[key]:
                raise InputError(
                    f"Expected an ensemble of runs with the same {key}. Received: "
                    f"{first.path} ({expected[key]!r}) and {run.path} ({received!r}). Export "
                    "them under names of their own"
                )


def _shared_by_members(run: Run) -> dict[str, Any]:
    config, dataset = run.config, run.config.dataset
    return {
        "variant": config.model,
        "marks": list(config.marks),
        "transform": config.arguments["transform"],
        "labels": config.labels,
        **dataclasses.asdict(config.bins),
        # A run with imported weights knows less of its data than one that was trained here.
        "dataset": dataset and dataset.name,
        "dataset contents": dataset and dataset.fingerprint,
        "oriented": dataset and dataset.oriented,
        "genome": dataset and dataset.genome,
    }
