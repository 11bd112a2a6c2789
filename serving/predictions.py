"""What a served model says of genes, and the tables and arrays that are made of it."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from serving.description import EXPRESSION, PROBABILITY, ModelDescription
from serving.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Prediction", "Saliency", "to_table", "to_xarray"]


class Prediction(NamedTuple):
    """What a model says of n genes.

    Of an ensemble, `probability` is the sigmoid of its members' mean logit (in exports of earlier
    versions the mean of their probabilities), `expression`, `alpha` and `beta` are their means, and
    each `_sd` is the standard deviation between them.

    Attributes:
        answer: What `output` names, float32 `(n,)`.
        alpha: Attention over the bins of each mark, float32 `(n, marks, bins)`, or None.
        beta: Attention over the marks, float32 `(n, marks)`, or None.
        answer_sd: Float32 `(n,)`, or None.
        alpha_sd: Float32 `(n, marks, bins)`, or None.
        beta_sd: Float32 `(n, marks)`, or None.
        contribution: What each bin of each mark adds to the logit of high expression, or to the
            expression, beyond an empty region's, float32 `(n, marks, bins)`; None of a model that
            is not additive.
        gene_id: Text `(n,)`; None where the genes were asked for without their names.
        output: `probability`, or of a model of regression `expression`.
    """

    answer: np.ndarray
    alpha: np.ndarray | None = None
    beta: np.ndarray | None = None
    answer_sd: np.ndarray | None = None
    alpha_sd: np.ndarray | None = None
    beta_sd: np.ndarray | None = None
    contribution: np.ndarray | None = None
    gene_id: np.ndarray | None = None
    output: str = PROBABILITY

    @property
    def probability(self) -> np.ndarray:
        """Of high expression, float32 `(n,)`, in [0, 1].

        Raises:
            InputError: If the model tells expression.
        """
        return _answer_of(self, PROBABILITY)

    @property
    def probability_sd(self) -> np.ndarray | None:
        """Float32 `(n,)`, or None."""
        return self.answer_sd

    @property
    def expression(self) -> np.ndarray:
        """log2(expression + 1), float32 `(n,)`, in the unit that the model's description names.

        Raises:
            InputError: If the model tells a probability.
        """
        return _answer_of(self, EXPRESSION)


class Saliency(NamedTuple):
    """How the score of n genes answers to their signal.

    Attributes:
        gradient: Of the logit of high expression, or of the expression, float32
            `(n, bins, marks)`.
        answer: What `output` names, float32 `(n,)`.
        gene_id: Text `(n,)`; None where the genes were asked for without their names.
        output: As of `Prediction`.
    """

    gradient: np.ndarray
    answer: np.ndarray
    gene_id: np.ndarray | None = None
    output: str = PROBABILITY

    @property
    def probability(self) -> np.ndarray:
        """As of `Prediction`."""
        return _answer_of(self, PROBABILITY)

    @property
    def expression(self) -> np.ndarray:
        """As of `Prediction`."""
        return _answer_of(self, EXPRESSION)


_Result = TypeVar("_Result", bound=Prediction | Saliency)


def _answer_of(result: Prediction | Saliency, output: str) -> np.ndarray:
    if result.output != output:
        raise InputError(
            f"Expected an answer of a model that tells {output}. Received: one that tells "
            f"{result.output}; take that, or ask another model"
        )
    return result.answer


_PREDICTED = "the predicted expression"
# Dimensions, unit and meaning of each variable in NetCDF.
_VARIABLES = {
    "answer": (("gene",), "1", "probability of high expression"),
    "alpha": (("gene", "mark", "bin"), "1", "attention over the bins of a mark"),
    "beta": (("gene", "mark"), "1", "attention over the marks"),
    "contribution": (
        ("gene", "mark", "bin"),
        "1",
        "contribution to the logit of high expression, beyond that of an empty region",
    ),
    "gradient": (
        ("gene", "mark", "bin"),
        "1 / (unit of the signal)",
        "gradient of the logit of high expression with respect to the signal",
    ),
}


def join(parts: Iterable[_Result]) -> _Result:
    """One result of several, at least one, in their order."""
    results = list(parts)
    if len(results) == 1:
        return results[0]
    columns: Iterable[Any] = zip(*results, strict=True)
    joined: Iterable[Any] = (
        np.concatenate(c) if isinstance(c[0], np.ndarray) else c[0] for c in columns
    )
    return type(results[0])(*joined)


def to_table(prediction: Prediction, marks: Sequence[str]) -> "pd.DataFrame":
    """One row a gene.

    Args:
        prediction: Of n genes.
        marks: Names of the marks, in the model's order.

    Returns:
        Columns `gene_id` (where the prediction has it), `probability` or, of a model of regression,
        here and below, `expression`, log2(expression + 1); with alpha, `top_mark` and
        `top_bin` (from 1), where the attention is largest: alpha, times the beta of the mark where
        there is one; with beta, `beta_MARK` for each mark; of an ensemble, `probability_sd` after
        `probability` and `beta_sd_MARK` for each mark; of an additive model, `contribution_MARK`,
        what all bins of a mark together add to the logit.
    """
    import pandas as pd

    columns: dict[str, np.ndarray | None] = {
        "gene_id": prediction.gene_id,
        prediction.output: prediction.answer,
        f"{prediction.output}_sd": prediction.answer_sd,
    }
    if prediction.alpha is not None:
        weight = prediction.alpha
        if prediction.beta is not None:
            weight = weight * prediction.beta[:, :, np.newaxis]
        num_genes, num_marks, num_bins = weight.shape
        mark, bin_ = np.divmod(weight.reshape(num_genes, -1).argmax(axis=1), num_bins)
        if num_marks == len(marks):
            columns["top_mark"] = np.array(marks)[mark]
        columns["top_bin"] = bin_ + 1
    contribution = prediction.contribution
    of_marks = {
        "beta": prediction.beta,
        "beta_sd": prediction.beta_sd,
        "contribution": None if contribution is None else contribution.sum(axis=2),
    }
    for name, values in of_marks.items():
        if values is not None:
            columns |= {f"{name}_{mark}": values[:, axis] for axis, mark in enumerate(marks)}
    return pd.DataFrame({name: values for name, values in columns.items() if values is not None})


def to_xarray(
    description: ModelDescription, prediction: Prediction, saliency: Saliency | None = None
) -> "xr.Dataset":
    """All that was answered, with its coordinates.

    Args:
        description: The model that answered.
        prediction: Of n genes.
        saliency: Of the same genes.

    Returns:
        `probability` or `expression` (gene) and, where they are there, `alpha` (gene, mark, bin),
        `beta` (gene, mark), their `_sd`, `contribution` (gene, mark, bin) and `gradient` (gene,
        mark, bin). Coordinates: `mark`; `bin`, the start of the bin in bp relative to the TSS, or
        its number from 0 where the model does not say how long a bin is; `gene_id` along gene. The
        names are those of `python -m keras_chrome.attend`.
    """
    from importlib.metadata import version

    import xarray as xr

    arrays = prediction._asdict()
    gene_id, output = arrays.pop("gene_id"), arrays.pop("output")
    about = _VARIABLES
    if output == EXPRESSION:
        about = {
            name: (dimensions, units, meaning.replace("the logit of high expression", _PREDICTED))
            for name, (dimensions, units, meaning) in _VARIABLES.items()
        }
        about["answer"] = (("gene",), description.scale, _PREDICTED.removeprefix("the "))
    if saliency is not None:
        arrays["gradient"] = saliency.gradient.transpose(0, 2, 1)
    variables = {}
    for name, values in arrays.items():
        if values is not None:
            dimensions, units, meaning = about[name.removesuffix("_sd")]
            if name.endswith("_sd"):
                meaning = f"standard deviation between the members: {meaning}"
            variables[name.replace("answer", output)] = (
                dimensions,
                values,
                {"units": units, "long_name": meaning},
            )
    coordinates: dict[str, Any] = {"mark": list(description.marks), "bin": _bins(description)}
    if gene_id is not None:
        coordinates["gene_id"] = ("gene", gene_id)
    known = ("variant", "label_rule", "probability_of", "task", "scale", "bin_bp", "members")
    attributes = {key: description.details.get(key) for key in known}
    attributes |= {"model": description.name, "version": description.version}
    return xr.Dataset(
        variables,
        coordinates,
        # NetCDF has no way to write None.
        {key: value for key, value in attributes.items() if value is not None}
        | {"source": f"keras-chrome {version('keras-chrome')}"},
    )


def _bins(description: ModelDescription) -> tuple[str, np.ndarray, dict[str, str]]:
    bin_bp, flank_bp = (description.details.get(key) for key in ("bin_bp", "flank_bp"))
    number = np.arange(description.num_bins)
    if bin_bp is None or flank_bp is None:
        return "bin", number, {"units": "1", "long_name": "bin number"}
    about = {"units": "bp", "long_name": "bin start relative to the TSS"}
    return "bin", number * bin_bp - flank_bp, about
