"""Several models as one, which answers the mean of what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_chrome.layers import WeightedDeviation, WeightedMean
from keras_chrome.models.registry import logit_output
from keras_chrome.models.task import task_of

ATTENTION = ("alpha", "beta")


def ensemble_model(
    members: Sequence[keras.Model], weights: Sequence[float] | None = None
) -> keras.Model:
    """Put networks side by side in one network.

    It holds copies of the members' layers, those of the second under names that begin with
    `member_2.`, and can be saved, explained and exported as any variant is.

    Args:
        members: Functional models from the same signal, as `build_model` makes them, at least one.
        weights: Not negative, one a member; they sum to one. Equal if None.

    Returns:
        A functional model from the signal `(batch, bins, marks)` to what `combined` makes of the
        members' answers. Its layer `logit` gives the mean logit `(batch, 1)`.

    Example:
        >>> ensemble_model([load_model(f"runs/seed-{seed}") for seed in range(3)])
    """
    weights = [1 / len(members)] * len(members) if weights is None else weights
    signal = keras.Input(members[0].input_shape[1:], name="signal", dtype="float32")
    answers = [
        _answer_beside(member, signal, f"member_{number}.")
        for number, member in enumerate(members, start=1)
    ]
    return keras.Model(signal, combined(answers, weights), name="ensemble")


def combined(answers: Sequence[Mapping[str, Any]], weights: Sequence[float]) -> dict[str, Any]:
    """What an ensemble answers.

    Args:
        answers: Of each member `logit` `(batch, 1)`, `probability` or of regression `expression`
            `(batch,)`, and where it has them `alpha` and `contribution` `(batch, marks, bins)` and
            `beta` `(batch, marks)`: symbolic tensors or arrays.
        weights: Not negative, one a member; they sum to one.

    Returns:
        `probability` `(batch,)`, the sigmoid of the weighted mean of the logits, or `expression`,
        that mean itself; `alpha` and `beta`, the weighted means over the members that have them; if
        all have one, the weighted mean `contribution`, which sums to the mean logit less that of
        an empty region. Of several members also `probability_sd` or `expression_sd`, `alpha_sd` and
        `beta_sd`, how far they lie apart: the weighted standard deviation.
    """
    logit = WeightedMean(weights, name="logit")([answer["logit"] for answer in answers])
    task = task_of(answers[0])
    outputs = {task.output: task.of_logit(logit)}
    if all("contribution" in answer for answer in answers):
        outputs["contribution"] = WeightedMean(weights, name="mean_contribution")(
            [answer["contribution"] for answer in answers]
        )
    spreads = {}
    for name in (task.output, *ATTENTION):
        have = [i for i, answer in enumerate(answers) if name in answer]
        if not have:
            continue
        values = [answers[i][name] for i in have]
        total = sum(weights[i] for i in have)
        of_these = [weights[i] / total for i in have]
        if name in ATTENTION:
            outputs[name] = WeightedMean(of_these, name=f"mean_{name}")(values)
        spreads[f"{name}_sd"] = WeightedDeviation(of_these, name=f"{name}_sd")(values)
    return {**outputs, **spreads} if len(answers) > 1 else outputs


def _answer_beside(member: keras.Model, signal: Any, prefix: str) -> dict[str, Any]:
    """What a copy of a member, with a prefix to all its names, answers to the signal."""

    def renamed(operation: Any) -> Any:
        config = operation.get_config()
        return type(operation).from_config({**config, "name": f"{prefix}{operation.name}"})

    copy = keras.models.clone_model(member, input_tensors=signal, clone_function=renamed)
    copy.set_weights(member.get_weights())
    return {"logit": logit_output(copy, f"{prefix}logit"), **copy.output}
