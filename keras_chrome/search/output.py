"""What a search says of itself on the screen."""

import shlex
from typing import Any

from keras_chrome.fit.config import as_arguments
from keras_chrome.search.found import Search
from keras_chrome.tables import format_table, wrapped

_MOST_SHOWN = 5


def summary(found: Search) -> str:
    """The best trials and the recipe, which options mattered, and how to train with the best."""
    trials = found.trials
    names = [str(name) for name in trials]
    options = names[names.index("seconds") + 1 :]
    ranked = trials.dropna(subset="score").sort_values("score", ascending=False, kind="stable")
    rows = ranked.to_dict("records")
    shown = [row for rank, row in enumerate(rows) if rank < _MOST_SHOWN or row["trial"] == 1]
    counts = trials["state"].value_counts().items()
    blocks = [
        "trials: " + ", ".join(f"{number} {state}" for state, number in counts),
        format_table(
            [
                {
                    "trial": "1, the recipe" if row["trial"] == 1 else str(row["trial"]),
                    "valid AUROC": float(row["score"]),
                    **{name: _cell(row[name]) for name in options},
                }
                for row in shown
            ]
        ),
    ]
    if found.importances:
        shares = (f"{name} {share:.0%}" for name, share in found.importances.items())
        blocks.append(wrapped("of the scores' variance go back to " + ", ".join(shares)))
    command = shlex.join(["python", "-m", "keras_chrome.fit", *as_arguments(found.best)])
    return "\n\n".join([*blocks, f"the best, to train and test: {command}"])


def _cell(value: Any) -> str:
    """A value of an option; nothing where it had no effect."""
    return "" if value != value else str(value)
