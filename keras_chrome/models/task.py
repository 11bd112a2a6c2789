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
from keras_chrome.data.targets import log_expression
from keras_chrome.errors import InputError

if TYPE_CHECKING:
    import keras

    from keras_chrome.data import Dataset, Genes


class Task(ABC):
    """What is trained, answered and measured.

    Attributes:
        name: As `--task` has it.
        output: Name of the model's answer for a gene.
        monitor: The metric of genes by which epochs and models are chosen, the highest.
        monitor_title: The same in words.
        loss_title: What `loss` is, in words.
        shown: Metrics of a split that stand on the screen.
        column_names: In `predictions.csv`, of the truth and the answer.
    """

    name: str
    output: str
    monitor: str
    monitor_title: str
    loss_title: str
    shown: tuple[str, ...]
    column_names: tuple[str, str]

    @abstractmethod
    def answering(self, model: keras.Model) -> keras.Model:
        """A variant's model, with the answer of the task."""

    @abstractmethod
    def of_logit(self, logit: Any) -> Any:
        """The answer `(batch,)` that a logit `(batch, 1)` makes, a tensor or an array."""

    @abstractmethod
    def logit_of(self, answer: np.ndarray) -> np.ndarray:
        """The logit `(genes,)` that makes an answer, of a model that has no such layer."""

    @abstractmethod
    def loss(self) -> keras.losses.Loss:
        """The loss between a target and the layer `logit`."""

    @abstractmethod
    def known(self, genes: Genes) -> Genes:
        """The genes of which the truth is known; others count as unlabelled."""

    def check(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        """See that there are genes to train on and to measure by, of each epigenome.

        Raises:
            InputError: If there are not.
        """
        if not dataset.parts:
            self._check_one(genes, dataset, labels)
        for part in dataset.parts:
            of_part = genes.subset(genes.split, genes.epigenome == part.epigenome)
            self._check_one(of_part, part, labels)

    @abstractmethod
    def _check_one(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        """As `check`, of one epigenome."""

    @abstractmethod
    def check_unit(self, *units: str | None) -> None:
        """See that truths may be compared, by the units of expression; None where unknown.

        Raises:
            InputError: If they may not.
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
    def mean_loss(self, truth: np.ndarray, answer: np.ndarray) -> float:
        """The mean loss of genes, in float64."""

    @abstractmethod
    def loss_of_logit(self, truth: np.ndarray, logit: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean loss of genes, and the slope of each gene's loss in its logit."""

    @abstractmethod
    def score(self, truth: np.ndarray, answer: np.ndarray) -> float:
        """What `monitor` names."""

    @abstractmethod
    def metrics(
        self, truth: np.ndarray, answer: np.ndarray, *, gene_id: np.ndarray | None = None
    ) -> dict[str, Any]:
        """The metrics of a split; with `gene_id`, genes of one id are drawn together."""

    @abstractmethod
    def elsewhere(self, genes: Genes) -> dict[str, np.ndarray]:
        """What of genes foretells, without any mark, the same genes in another epigenome."""

    @abstractmethod
    def about_metrics(self, labels: str, unit: str) -> dict[str, str]:
        """What `metrics.json` says beside the metrics."""

    @abstractmethod
    def columns(
        self, truth: np.ndarray, answer: np.ndarray, answer_sd: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """What `predictions.csv` has of genes; of an ensemble how far its members lie apart."""

    @abstractmethod
    def about_answer(self, unit: str) -> dict[str, str]:
        """Unit and meaning of the answer, as attributes of NetCDF."""

    @abstractmethod
    def about_model(self, label_rule: str | None, unit: str) -> dict[str, str | None]:
        """What a served model says of its answer, by the label rule in words and the unit."""


class Classification(Task):
    """High expression or low."""

    name = "classification"
    output = "probability"
    monitor = "auroc"
    monitor_title = "AUROC"
    loss_title = "log loss"
    shown = (
        *("num_genes", "positive_rate", "auroc", "auroc_ci95", "auprc", "log_loss", "brier"),
        "ece",
    )
    column_names = ("label", "probability")

    def answering(self, model: keras.Model) -> keras.Model:
        """The model itself."""
        return model

    def of_logit(self, logit: Any) -> Any:
        """Its sigmoid."""
        import keras

        return keras.ops.squeeze(keras.ops.sigmoid(logit), axis=-1)

    def logit_of(self, answer: np.ndarray) -> np.ndarray:
        """The log-odds."""
        from keras_chrome.statistics.log_odds import log_odds

        return log_odds(answer)

    def loss(self) -> keras.losses.Loss:
        """The cross-entropy."""
        import keras

        return keras.losses.BinaryCrossentropy(from_logits=True)

    def known(self, genes: Genes) -> Genes:
        """All: unlabelled genes are not even loaded."""
        return genes

    def _check_one(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        """See that both classes are there."""
        check_classes(genes, dataset, labels)

    def check_unit(self, *units: str | None) -> None:
        """A label is above a median in any unit."""

    def truth(self, genes: Genes) -> np.ndarray:
        """The label, int8 0 or 1."""
        return genes.label

    def title(self, labels: str, unit: str) -> str:
        """Whose labels they are."""
        return f"{labels} labels"

    def without(self, labels: str) -> str:
        """A label."""
        return f"without {labels} label"

    def mean_loss(self, truth: np.ndarray, answer: np.ndarray) -> float:
        """The log loss in nats."""
        from sklearn.metrics import log_loss

        return float(log_loss(truth, answer, labels=[0, 1]))

    def loss_of_logit(self, truth: np.ndarray, logit: np.ndarray) -> tuple[float, np.ndarray]:
        """Of the log loss in nats."""
        from scipy.special import expit

        loss = np.mean(np.logaddexp(0, logit) - truth * logit)
        return float(loss), expit(logit) - truth

    def score(self, truth: np.ndarray, answer: np.ndarray) -> float:
        """The AUROC."""
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(truth, answer))

    def metrics(
        self, truth: np.ndarray, answer: np.ndarray, *, gene_id: np.ndarray | None = None
    ) -> dict[str, Any]:
        """See `classification_metrics`."""
        from keras_chrome.statistics.metrics import classification_metrics

        return classification_metrics(truth, answer, gene_id=gene_id)

    def elsewhere(self, genes: Genes) -> dict[str, np.ndarray]:
        """The label, and log2(expression + 0.1)."""
        return {"mean_label": genes.label, "mean_log_expression": log_expression(genes.rpkm)}

    def about_metrics(self, labels: str, unit: str) -> dict[str, str]:
        """The label rule."""
        return {"label_rule": labels}

    def columns(
        self, truth: np.ndarray, answer: np.ndarray, answer_sd: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """`label` and `probability`, of an ensemble `probability_sd`."""
        spread = {} if answer_sd is None else {"probability_sd": answer_sd}
        return {"label": truth, "probability": answer, **spread}

    def about_answer(self, unit: str) -> dict[str, str]:
        """A probability."""
        return {"units": "1", "long_name": "probability of high expression"}

    def about_model(self, label_rule: str | None, unit: str) -> dict[str, str | None]:
        """What is high."""
        return {"probability_of": "high expression", "label_rule": label_rule}


class Regression(Task):
    """Expression, as log2(value + 1) in the dataset's unit."""

    name = "regression"
    output = "expression"
    monitor = "pearson"
    monitor_title = "Pearson's r"
    loss_title = "squared error"
    shown = ("num_genes", "pearson", "pearson_ci95", "spearman", "r2")
    column_names = ("measured", "predicted")

    def answering(self, model: keras.Model) -> keras.Model:
        """The same layers, with `expression`, which is the logit, in the place of `probability`."""
        import keras

        # Where a variant is additive, the layer gives its contributions, too.
        logit, *_ = keras.tree.flatten(model.get_layer("logit").output)
        others = {name: output for name, output in model.output.items() if name != "probability"}
        outputs = {self.output: self.of_logit(logit), **others}
        return keras.Model(model.input, outputs, name=model.name)

    def of_logit(self, logit: Any) -> Any:
        """The logit itself."""
        import keras

        return keras.ops.squeeze(logit, axis=-1)

    def logit_of(self, answer: np.ndarray) -> np.ndarray:
        """The answer itself."""
        return answer

    def loss(self) -> keras.losses.Loss:
        """The squared error."""
        import keras

        return keras.losses.MeanSquaredError()

    def known(self, genes: Genes) -> Genes:
        """Genes of known expression."""
        return genes.known_where(np.isfinite(genes.rpkm))

    def check(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        """See that expression is known, not the same for all, and in one unit."""
        super().check(genes, dataset, labels)
        self.check_unit(*(part.unit for part in dataset.parts))

    def check_unit(self, *units: str | None) -> None:
        """See that there is one."""
        if len(known := {unit for unit in units if unit is not None}) > 1:
            raise InputError(
                "Expected expression in one unit for --task regression. Received: "
                f"{', '.join(sorted(known))}; take datasets of one of them"
            )

    def _check_one(self, genes: Genes, dataset: Dataset, labels: str) -> None:
        if (is_negative := genes.rpkm < 0).any():
            raise InputError(
                f"Expected expression of 0 or more in {dataset.name} for --task regression, which "
                f"takes its logarithm. Received: {genes.rpkm.min():g}, and {is_negative.sum()} "
                "genes below 0; build it from expression that is no logarithm yet"
            )
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

    def mean_loss(self, truth: np.ndarray, answer: np.ndarray) -> float:
        """The mean squared error."""
        return float(np.mean((answer - truth) ** 2, dtype=np.float64))

    def loss_of_logit(self, truth: np.ndarray, logit: np.ndarray) -> tuple[float, np.ndarray]:
        """Of the squared error."""
        error = logit - truth.astype(np.float64)
        return float(np.mean(error * error)), 2 * error

    def score(self, truth: np.ndarray, answer: np.ndarray) -> float:
        """Pearson's correlation."""
        from keras_chrome.statistics.metrics import pearson_or_0

        return pearson_or_0(truth, answer)

    def metrics(
        self, truth: np.ndarray, answer: np.ndarray, *, gene_id: np.ndarray | None = None
    ) -> dict[str, Any]:
        """See `regression_metrics`."""
        from keras_chrome.statistics.metrics import regression_metrics

        return regression_metrics(truth, answer, gene_id=gene_id)

    def elsewhere(self, genes: Genes) -> dict[str, np.ndarray]:
        """The expression, on the same scale."""
        return {"mean_expression": expression_scale(genes.rpkm)}

    def about_metrics(self, labels: str, unit: str) -> dict[str, str]:
        """The task and what its numbers are."""
        return {"task": self.name, "scale": scale_title(unit)}

    def columns(
        self, truth: np.ndarray, answer: np.ndarray, answer_sd: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """`measured` and `predicted`, of an ensemble `predicted_sd`."""
        spread = {} if answer_sd is None else {"predicted_sd": answer_sd}
        return {"measured": truth, "predicted": answer, **spread}

    def about_answer(self, unit: str) -> dict[str, str]:
        """Expression."""
        return {"units": scale_title(unit), "long_name": "predicted expression"}

    def about_model(self, label_rule: str | None, unit: str) -> dict[str, str | None]:
        """The task, the unit of expression, and the scale of the answer."""
        return {"task": self.name, "unit": unit, "scale": scale_title(unit)}


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
