"""What the pages show: a gene, a row of the table, what was measured."""

import math
from typing import Any, NamedTuple
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup

from serving.description import EXPRESSION
from serving.web.answer import Answer, compared
from serving.web.catalogue import Gene
from serving.web.figure import (
    HIGHEST_EXPRESSION,
    draw_bar,
    draw_expression,
    draw_gene,
    draw_probability,
)
from serving.web.gene_picture import GenePicture
from serving.web.results import Result


class Asked(NamedTuple):
    """What somebody filled in, to be shown again."""

    model: str = ""
    source: str = "gene"
    dataset: str = ""
    gene: str = ""
    text: str = ""
    columns: str = ""


def address_of_gene(path: str, asked: Asked, dataset: str, gene: str) -> str:
    """The address of a gene of a dataset, as the model that was asked sees it."""
    query = {"model": asked.model, "dataset": dataset, "gene": gene}
    return f"{path}?{urlencode({name: text for name, text in query.items() if text})}"


def view_of_gene(result: Result, gene: int) -> dict[str, Any]:
    """The gene that is drawn."""
    picture = result.picture(gene)
    answer = result.answer(gene)
    measured = _measured(result)
    return {
        "number": gene + 1,
        "name": picture.name,
        "picture": picture,
        "answer": answer,
        "gauge": _gauge(answer, measured, result.unit),
        "wide": draw_gene(picture),
        "narrow": draw_gene(picture, is_narrow=True),
        "top": _top(picture),
        "truth": truth_of(result),
        "compared": ""
        if measured is None or not answer.unit
        else compared(answer, measured, result.unit),
    }


def _measured(result: Result) -> float | None:
    """The expression that is known of the only gene."""
    if result.known is None or math.isnan(result.known.rpkm) or result.known.rpkm < 0:
        return None
    return result.known.rpkm


def _gauge(answer: Answer, measured: float | None, unit: str) -> Markup:
    if not answer.unit:
        return draw_probability(answer.value, answer.sd)
    known = None if measured is None or unit != answer.unit else math.log2(measured + 1)
    return draw_expression(answer.value, answer.sd, answer.unit, known)


class _Top(NamedTuple):
    """Where a model looks most."""

    mark: str
    bin: int
    place: str


def _top(picture: GenePicture) -> _Top | None:
    if picture.alpha is None:
        return None
    beta = 1 if picture.beta is None else picture.beta[:, np.newaxis]
    mark, bin_ = divmod(int((picture.alpha * beta).argmax()), picture.region.num_bins)
    return _Top(picture.marks[mark], bin_ + 1, picture.region.place(bin_))


def view_of_row(result: Result, gene: int) -> dict[str, Any]:
    """A gene in the table of many."""
    beta, answer = result.prediction.beta, result.answer(gene)
    return {
        "number": gene + 1,
        "gene_id": str(result.genes.gene_id[gene]),
        "answer": answer,
        "bar": draw_bar(answer.value / (HIGHEST_EXPRESSION if answer.unit else 1)),
        "top": _top(result.picture(gene)),
        "beta": [] if beta is None else [float(value) for value in beta[gene]],
        "highest": -1 if beta is None else int(beta[gene].argmax()),
    }


class Truth(NamedTuple):
    """What was measured of a gene of a dataset, by the rule that the model was trained on."""

    gene: Gene
    is_high: bool | None
    is_right: bool | None
    is_published: bool
    was_trained_on: bool


def truth_of(result: Result) -> Truth | None:
    """What was measured of the only gene, if it is one of a dataset."""
    gene, details = result.known, result.description.details
    if gene is None:
        return None
    is_published = details.get("label_rule") == "as published"
    is_high = gene.is_high_published if is_published else gene.is_high
    if result.description.output == EXPRESSION:
        is_high = None  # no label is what the model tells
    says_high = bool(result.prediction.answer[0] >= 0.5)
    is_right = None if is_high is None else says_high == is_high
    was_trained_on = gene.split == "train" and details.get("dataset") == result.source
    return Truth(gene, is_high, is_right, is_published, was_trained_on)
