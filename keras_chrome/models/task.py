"""What a model tells of a gene: whether its expression is high, or how much is expressed.

All that differs between the two is here. Every variant ends in a linear layer `logit`: of
classification it is the log-odds of high expression, of regression the expression itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.data import check_classes
from keras_chrome.errors import InputError

if TYPE_CHECKING:
    import keras

    from keras_chrome.data import Dataset, Genes


class Task(ABC):
    """What is trained, answered and measured.

    Attributes:
        name: As `--task` has it.
        output: Name of the model's answer for a gene.
        monitor: The metric of validation genes by which the epoch is chosen, the highest.
        monitor_title: The same in words.
        shown: Metrics of a split that stand on the screen.
    """

    name: str
    output: str
    monitor: str
    monitor_title: str
    shown: tuple[str, ...]

    @abstractmethod
    def answering(self, model: keras.Model) -> keras.Model:
        """A variant's model, with the answer of the task."""

    @abstractmethod
    def loss(self) -> keras.losses.Loss:
        """The loss between a target and the layer `logit`."""

    @abstractmethod
    def known(self, genes: Genes) -> Genes:
        """The genes of which the truth is known; others count as unlabelled."""

    @abstractmethod
    def check(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        """See that there are genes to train on and to measure by.

        Raises:
            InputError: If there are not.
        """

    @abstractmethod
    def truth(self, genes: Genes) -> np.ndarray:
        """What a model should answer, `(genes,)`."""

    @abstractmethod
    def title(self, labels: str, unit: str) -> str:
        """The truth in words, by the label rule and the unit of expression."""

    @abstractmethod
    def without(self, labels: str) -> str:
        """What genes lack that are left out, in words."""

    def arguments(self) -> dict[str, str]:
        """What `build_model` and `build_baseline` are told of the task."""
        return {} if self.name == "classification" else {"task": self.name}

    @abstractmethod
    def validation(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
        """What an epoch is told by: `val_loss`, and `val_` and the monitor."""

    @abstractmethod
    def metrics(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, Any]:
        """The metrics of a split."""

    @abstractmethod
    def about_metrics(self, labels: str, unit: str) -> dict[str, str]:
        """What `metrics.json` says beside the metrics."""

    @abstractmethod
    def columns(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, np.ndarray]:
        """What `predictions.csv` has of genes."""

    @abstractmethod
    def about_answer(self, unit: str) -> dict[str, str]:
        """Unit and meaning of the answer, as attributes of NetCDF."""


class Classification(Task):
    """High expression or low."""

    name = "classification"
    output = "probability"
    monitor = "auroc"
    monitor_title = "AUROC"
    shown = (
        *("num_genes", "positive_rate", "auroc", "auroc_ci95", "auprc", "log_loss", "brier"),
        "ece",
    )

    def answering(self, model: keras.Model) -> keras.Model:
        """The model itself."""
        return model

    def loss(self) -> keras.losses.Loss:
        """The cross-entropy."""
        import keras

        return keras.losses.BinaryCrossentropy(from_logits=True)

    def known(self, genes: Genes) -> Genes:
        """All: unlabelled genes are not even loaded."""
        return genes

    def check(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        """See that both classes are there."""
        check_classes(genes, dataset, labels)

    def truth(self, genes: Genes) -> np.ndarray:
        """The label, int8 0 or 1."""
        return genes.label

    def title(self, labels: str, unit: str) -> str:
        """Whose labels they are."""
        return f"{labels} labels"

    def without(self, labels: str) -> str:
        """A label."""
        return f"without {labels} label"

    def validation(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
        """Log loss and AUROC."""
        from sklearn.metrics import log_loss, roc_auc_score

        return {
            "val_loss": float(log_loss(truth, answer, labels=[0, 1])),
            "val_auroc": float(roc_auc_score(truth, answer)),
        }

    def metrics(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, Any]:
        """See `classification_metrics`."""
        from keras_chrome.statistics.metrics import classification_metrics

        return classification_metrics(truth, answer)

    def about_metrics(self, labels: str, unit: str) -> dict[str, str]:
        """The label rule."""
        return {"label_rule": labels}

    def columns(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, np.ndarray]:
        """`label` and `probability`."""
        return {"label": truth, "probability": answer}

    def about_answer(self, unit: str) -> dict[str, str]:
        """A probability."""
        return {"units": "1", "long_name": "probability of high expression"}


class Regression(Task):
    """Expression, as log2(value + 1) in the dataset's unit."""

    name = "regression"
    output = "expression"
    monitor = "pearson"
    monitor_title = "Pearson's r"
    shown = ("num_genes", "pearson", "pearson_ci95", "spearman", "r2")

    def answering(self, model: keras.Model) -> keras.Model:
        """The same layers, with `expression`, which is the logit, in the place of `probability`."""
        import keras

        # Where a variant is additive, the layer gives its contributions, too.
        logit, *_ = keras.tree.flatten(model.get_layer("logit").output)
        others = {name: output for name, output in model.output.items() if name != "probability"}
        outputs = {self.output: keras.ops.squeeze(logit, axis=-1), **others}
        return keras.Model(model.input, outputs, name=model.name)

    def loss(self) -> keras.losses.Loss:
        """The squared error."""
        import keras

        return keras.losses.MeanSquaredError()

    def known(self, genes: Genes) -> Genes:
        """Genes of known expression."""
        return genes.known_where(np.isfinite(genes.rpkm))

    def check(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        """See that expression is known, and not the same for all."""
        if len(np.unique(genes.rpkm)) > 1:
            return
        unknown = f", and {genes.num_unlabelled} without" if genes.num_unlabelled else ""
        raise InputError(
            f"Expected genes of different expression in split {genes.split!r} of {dataset.name} "
            f"for --task regression. Received: {len(genes)} with known expression{unknown}; take a "
            "dataset with expression, or --task classification"
        )

    def truth(self, genes: Genes) -> np.ndarray:
        """log2(expression + 1), float32."""
        return expression_scale(genes.rpkm)

    def title(self, labels: str, unit: str) -> str:
        """The scale, as `log2(RPKM + 1)`."""
        return scale_title(unit)

    def without(self, labels: str) -> str:
        """An expression."""
        return "without known expression"

    def validation(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
        """Mean squared error and Pearson's correlation."""
        from keras_chrome.statistics.metrics import pearson_or_0

        return {
            "val_loss": float(np.mean((answer - truth) ** 2, dtype=np.float64)),
            "val_pearson": pearson_or_0(truth, answer),
        }

    def metrics(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, Any]:
        """See `regression_metrics`."""
        from keras_chrome.statistics.metrics import regression_metrics

        return regression_metrics(truth, answer)

    def about_metrics(self, labels: str, unit: str) -> dict[str, str]:
        """The task and what its numbers are."""
        return {"task": self.name, "scale": scale_title(unit)}

    def columns(self, truth: np.ndarray, answer: np.ndarray) -> dict[str, np.ndarray]:
        """`measured` and `predicted`."""
        return {"measured": truth, "predicted": answer}

    def about_answer(self, unit: str) -> dict[str, str]:
        """Expression."""
        return {"units": scale_title(unit), "long_name": "predicted expression"}


def expression_scale(value: np.ndarray) -> np.ndarray:
    """What regression is of: log2(value + 1), float32; NaN where unknown."""
    return np.log2(np.asarray(value, np.float64) + 1).astype(np.float32)


def scale_title(unit: str) -> str:
    """What regression is of, in words: `log2(RPKM + 1)`."""
    return f"log2({unit} + 1)"


TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Regression())}
"""The tasks by name."""

CLASSIFICATION = TASKS["classification"]


def task_of(outputs: Mapping[str, Any]) -> Task:
    """The task of a model, by the outputs that it has."""
    return next(task for task in TASKS.values() if task.output in outputs)
