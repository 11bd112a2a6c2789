"""What a search has found: its trials as a table, and the best options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from keras_chrome.fit import FitConfig
from keras_chrome.runs.files import write_csv, write_json
from keras_chrome.search.config import SearchConfig
from keras_chrome.search.space import Space
from keras_chrome.search.study import STATES, best

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Search(NamedTuple):
    """What a search has found.

    Attributes:
        trials: A row a trial, in order: trial, counted from 1, which is the model's recipe; state,
            complete, pruned or failed; score; of several seeds the score of each; seconds; and the
            options that were searched, empty where one had no effect.
        best: The options of the best trial, ready for `fit`.
        importances: As `keras_chrome.search.study.importances` has them.
    """

    trials: pd.DataFrame
    best: FitConfig
    importances: dict[str, float]


def table(trials: Sequence[FrozenTrial], config: SearchConfig, space: Space) -> pd.DataFrame:
    """The trials that have ended, as `Search.trials` has them."""
    names = {state: name for name, state in STATES.items()}
    rows = []
    for number, trial in enumerate(trials, start=1):
        scores, options = trial.user_attrs["scores"], trial.user_attrs["options"]
        of_seeds = {}
        if len(config.seeds) > 1:
            padded = [*scores, *[None] * (len(config.seeds) - len(scores))]
            of_seeds = dict(zip(config.seeds, padded, strict=True))
        rows.append(
            {
                "trial": number,
                "state": names[trial.state],
                # What a trial had when it was given up is no score.
                "score": trial.value if trial.state == STATES["complete"] else None,
                **{f"seed_{seed}": score for seed, score in of_seeds.items()},
                "seconds": round(trial.user_attrs["seconds"], 1),
                **{name: options.get(name) for name in space},
            }
        )
    return pd.DataFrame(rows)


def write(trials: Sequence[FrozenTrial], config: SearchConfig, space: Space) -> None:
    """Write `trials.csv` and, of the best trial so far, `best.json`."""
    out_dir = Path(config.out_dir)
    write_csv(out_dir / "trials.csv", table(trials, config, space))
    if (of_best := best(trials)) is not None:
        content = {
            "trial": 1 + trials.index(of_best),
            "score": of_best.value,
            "options": config.given(**of_best.user_attrs["options"]),
        }
        write_json(out_dir / "best.json", content)


def options_of_best(trials: Sequence[FrozenTrial], config: SearchConfig) -> FitConfig | None:
    """The options of the best trial, whose run directory is `best` in the search's folder."""
    if (of_best := best(trials)) is None:
        return None
    drawn: dict[str, Any] = of_best.user_attrs["options"]
    return config.fit_config(Path(config.out_dir) / "best", **drawn)
