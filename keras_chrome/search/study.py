"""The study that Optuna keeps of a search: which trial comes next, and those that have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
"""How a trial ends, and Optuna's word for it."""

# A trial may be given up once so many are complete, and after so many tenths of its epochs.
_FIRST_COMPLETE = 5
_FIRST_TENTHS = 3
# Fewer trials say next to nothing of which options matter.
_ENOUGH_FOR_IMPORTANCE = 10


def open_study(file: Path) -> optuna.Study:
    """The study in a journal, begun if there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name="search",
        direction="maximize",
        storage=JournalStorage(JournalFileBackend(str(file))),
        pruner=optuna.pruners.MedianPruner(_FIRST_COMPLETE, _FIRST_TENTHS),
        load_if_exists=True,
    )


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have ended, in order.

    One that was broken off stays as it was, running, which counts neither here nor for Optuna.
    """
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def ask(study: optuna.Study, *, seed: int, first: Mapping[str, Any]) -> optuna.Trial:
    """The next trial, which follows from the seed and from the trials that have ended.

    Args:
        study: The study.
        seed: Of the search.
        first: The options of the first trial.
    """
    number = len(ended(study))
    # One sampler a trial: the state of another would be gone with its process.
    (of_trial,) = np.random.SeedSequence([seed, number]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(seed=int(of_trial))
    if not number:
        study.enqueue_trial(dict(first))
    return study.ask()


def best(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The complete trial of the greatest score, the first of equals; None if none is complete."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return max(complete, key=lambda trial: trial.value or 0.0, default=None)


def importances(study: optuna.Study) -> dict[str, float]:
    """How much of the scores' variance goes back to each option, by functional ANOVA.

    None while there are less than ten complete trials. An option without effect in some of them,
    such as the warm-up of no schedule, is left out.

    Reference: Hutter et al., An Efficient Approach for Assessing Hyperparameter Importance, ICML
    2014.
    """
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(complete) < _ENOUGH_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}
