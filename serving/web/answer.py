"""What a model tells of a gene, in words: a probability, or how much is expressed."""

from typing import NamedTuple

import numpy as np

from serving.description import EXPRESSION, ModelDescription
from serving.predictions import Prediction
from serving.web.numbers import MINUS, brief, decimals


class Answer(NamedTuple):
    """A model's answer for a gene.

    Attributes:
        value: The number itself.
        sd: Its standard deviation over the members of an ensemble, or None.
        title: What it is.
        column: The same as the heading of a column.
        text: The number, as people read it.
        sd_text: Likewise of the standard deviation, or empty.
        amount: Expression taken back from its logarithm, as people read it, or empty.
        unit: Of the amount.
    """

    value: float
    sd: float | None
    title: str
    column: str
    text: str
    sd_text: str
    amount: str = ""
    unit: str = ""

    @property
    def line(self) -> str:
        """All of it, as `predicted log2(RPKM + 1) 3.21 ± 0.10, 8.25 RPKM`."""
        text = f"{self.title[:1].lower()}{self.title[1:]} {self.text}"
        if self.sd_text:
            text += f" ± {self.sd_text}"
        return f"{text}, {self.amount} {self.unit}" if self.amount else text


def answer_of(description: ModelDescription, prediction: Prediction, gene: int) -> Answer:
    """What a model tells of a gene of several."""
    value = float(prediction.answer[gene])
    sd = None if prediction.answer_sd is None else float(prediction.answer_sd[gene])
    if description.output != EXPRESSION:
        text = "" if sd is None else decimals(sd)
        title = "Probability of high expression"
        return Answer(value, sd, title, "P(high)", decimals(value), text)
    return Answer(
        value,
        sd,
        f"Predicted {description.scale}",
        description.scale,
        decimals(value, 2),
        "" if sd is None else decimals(sd, 2),
        brief(max(0.0, float(np.exp2(value)) - 1)),
        description.unit,
    )


def compared(answer: Answer, expression: float, unit: str) -> str:
    """What was measured of a gene, beside what a model of regression tells of it.

    Args:
        answer: The model's.
        expression: As measured.
        unit: Of what was measured; in another one than the model's it is not compared.

    Returns:
        As `12.4 RPKM, 3.74 on this scale: the prediction is 0.53 lower`.
    """
    text = f"{brief(expression)} {unit}"
    if unit != answer.unit:
        return text
    measured = float(np.log2(expression + 1))
    difference = round(answer.value - measured, 2)
    if difference == 0:
        said = "the prediction is the same"
    else:
        size = decimals(abs(difference), 2).removeprefix(MINUS)
        said = f"the prediction is {size} {'higher' if difference > 0 else 'lower'}"
    return f"{text}, {decimals(measured, 2)} on this scale: {said}"
