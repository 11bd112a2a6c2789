"""What a training works towards: the labels, or numbers that say how sure they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_chrome.baselines import BASELINES
from keras_chrome.data.targets import log_expression, soft_targets
from keras_chrome.errors import InputError
from keras_chrome.fit.config import FitConfig, knows_expression, takes_soft_targets
from keras_chrome.models.task import TASKS
from keras_chrome.runs import open_run

if TYPE_CHECKING:
    from keras_chrome.data import Dataset, Genes

_FURTHEST = 3.0


class Targets(NamedTuple):
    """What training genes are trained towards.

    Attributes:
        target: float32 `(genes,)`, probability of a high label; of regression the expression.
        log_expression: float32 `(genes,)`, log2 of the expression over its median, no further
            than 3 from 0; NaN where unknown.
    """

    target: np.ndarray
    log_expression: np.ndarray


def make_targets(config: FitConfig, dataset: Dataset, genes: Genes) -> Targets:
    """What the training genes are trained towards.

    Args:
        config: The options, spelled out.
        dataset: The dataset.
        genes: Its training genes.

    Raises:
        InputError: If the model takes no such targets, expression is unknown that they are made
            of, or the run to distill is of other genes.
    """
    if config.targets != "hard" and not takes_soft_targets(config.model):
        raise InputError(
            f"Expected --targets hard with {config.model}, which takes no others. Received: "
            f"targets={config.targets!r}"
        )
    rows = genes.by_epigenome()
    median_of = {
        part.epigenome: part.metadata.get("median_rpkm") for part in dataset.parts or (dataset,)
    }
    is_known = all(
        knows_expression(median_of[name]) and bool((genes.rpkm[of_epigenome] >= 0).any())
        for name, of_epigenome in rows.items()
    )
    needs = {"targets": config.targets == "soft"}
    if config.model not in BASELINES:
        needs["regression_weight"] = bool(config.recipe().regression_weight)
    for name, is_needed in needs.items():
        if is_needed and not is_known:
            raise InputError(
                f"Expected a dataset with expression, of 0 or more, for {name}="
                f"{getattr(config, name)!r}. Received: {dataset.name}, without; take "
                "--targets hard and --regression-weight 0"
            )
    target = TASKS[config.task].truth(genes).astype(np.float32)
    measured = np.empty(len(genes), np.float32)
    for name, of_epigenome in rows.items():
        median = median_of[name]
        rpkm, label = genes.rpkm[of_epigenome], genes.label[of_epigenome]
        log = log_expression(rpkm, median if is_known else 1.0)
        measured[of_epigenome] = np.clip(log, -_FURTHEST, _FURTHEST)
        if config.targets == "soft":
            assert median is not None
            target[of_epigenome] = soft_targets(
                rpkm, label, labels=config.labels, median=median, width=config.target_width
            )
    if config.targets == "distilled":
        assert config.distill is not None
        target = _taught(Path(config.distill), config, dataset, genes)
    return Targets(target, measured)


def _taught(path: Path, config: FitConfig, dataset: Dataset, genes: Genes) -> np.ndarray:
    """What the model of another run says of training genes, as probabilities.

    Raises:
        InputError: If it was not trained on these genes, marks and labels, or has seen others.
    """
    from keras_chrome.models.prediction import predict

    teacher = open_run(path)
    trained_on = teacher.config.dataset
    expected = {
        "dataset": dataset.fingerprint()[:8],
        "marks": ", ".join(config.marks or dataset.marks),
        "labels": config.labels,
    }
    received = {
        "dataset": trained_on.fingerprint[:8] if trained_on else "none",
        "marks": ", ".join(teacher.marks),
        "labels": teacher.labels,
    }
    if differing := [name for name in expected if expected[name] != received[name]]:
        raise InputError(
            "Expected a run to distill of "
            + "; ".join(f"{name} {expected[name]}" for name in differing)
            + f". Received: {path} of "
            + "; ".join(f"{name} {received[name]}" for name in differing)
        )
    seen = set(teacher.gene_ids("train"))
    if seen != set(genes.gene_id):
        raise InputError(
            f"Expected a run to distill with the same training genes. Received: {path}, trained "
            f"on {len(seen - set(genes.gene_id))} others; take its --split and --fold"
        )
    probability: np.ndarray = predict(teacher.load_model(), genes.signal).probability
    return probability
