"""Search for the options of a training that validate best.

As a command: `python -m keras_chrome.search --model additive_chrome --dataset remc/E012 --out-dir
searches/a`. The same command again goes on where it was broken off.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import statistics
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.errors import InputError
from keras_chrome.fit.job import load, spelled_out
from keras_chrome.runs.config import LOCAL_OPTIONS
from keras_chrome.runs.files import locked, write_json
from keras_chrome.runs.json_reader import read_json
from keras_chrome.search.config import SearchConfig
from keras_chrome.search.space import SPACE, Space, draw, start_of, without_effect
from keras_chrome.tables import format_duration, wrapped

if TYPE_CHECKING:
    import optuna

    from keras_chrome.data import Dataset, Genes
    from keras_chrome.search.found import Search

_SPLITS = ("train", "valid")


def search(config: SearchConfig) -> Search:
    """Search for the options of a training that validate best.

    A trial's score is the validation AUROC of what training keeps, the mean over the seeds. Test
    genes have no part in it: where the dataset has splits of its own they are not even read. The
    first trial is the model's recipe, the others are drawn by a tree-structured Parzen estimator.
    From three tenths of its epochs on a trial is given up if the best it has had is worse than the
    median of the others' at that time.

    Into the folder go `trials.csv`; `best.json`, with `options` for `fit`; `search.json`, what is
    searched; `logs/`; and `optuna.journal`, for Optuna's own tools. They are written after every
    trial, and a search that was broken off goes on to what it would have been.

    Args:
        config: The options.

    Raises:
        InputError: If nothing is left to search, or no such training can be; if the folder holds
            another search, or another is at work in it; if no trial was complete.

    Example:
        >>> found = search(
        ...     SearchConfig(
        ...         dataset="remc/E012",
        ...         model="additive_chrome",
        ...         out_dir="searches/a",
        ...         vary=("learning_rate", "mixup"),
        ...         fit_options={"epochs": 10},
        ...     )
        ... )
        >>> run = fit(found.best)

    Reference: Bergstra et al., Algorithms for Hyper-Parameter Optimization, NeurIPS 2011; Akiba et
    al., Optuna: A Next-generation Hyperparameter Optimization Framework, KDD 2019.
    """
    # An extra, which is told to be missing before anything is read.
    from keras_chrome.search.found import Search, options_of_best, table, write
    from keras_chrome.search.study import ended, importances, open_study

    out_dir = Path(config.out_dir)
    data = load(config.fit_config(), _SPLITS)
    space = _space(config, data[0])
    deadline = time.monotonic() + 3600 * (config.hours or float("inf"))
    with locked(out_dir, "search"):
        study = open_study(out_dir / "optuna.journal")
        _note(config, data[0], space, has_begun=bool(ended(study)))
        try:
            while (number := 1 + len(ended(study))) <= config.trials:
                if time.monotonic() > deadline:
                    print(f"no further trial after {config.hours:g} h", flush=True)
                    break
                _run_next(study, number, config, space, data)
                write(ended(study), config, space)
        except KeyboardInterrupt:
            line = f"broken off in trial {number}; the same command goes on with it"
            raise KeyboardInterrupt(line) from None
        finally:
            shutil.rmtree(_scratch(config), ignore_errors=True)
    trials = ended(study)
    if (best := options_of_best(trials, config)) is None:
        raise InputError(
            f"Expected a trial to be complete. Received: {len(trials)}, all failed; their output "
            f"is in {out_dir / 'logs'}"
        )
    return Search(table(trials, config, space), best, importances(study))


def _scratch(config: SearchConfig) -> Path:
    return Path(config.out_dir) / ".trial"


def _space(config: SearchConfig, dataset: Dataset) -> Space:
    """What is searched.

    Raises:
        InputError: If nothing is, or something without effect is to be.
    """
    unused = without_effect(config.fit_config(), dataset)
    if in_vain := [name for name in config.vary if name in unused]:
        raise InputError(
            "Expected options to vary that have an effect. Received: "
            + ", ".join(f"{name} with {unused[name]}" for name in in_vain)
        )
    names = set(config.vary or SPACE) - set(config.fit_options) - set(unused)
    if not names:
        raise InputError(
            f"Expected an option left to search, of {', '.join(SPACE)}. Received: values of all"
        )
    return {name: values for name, values in SPACE.items() if name in names}


def _note(config: SearchConfig, dataset: Dataset, space: Space, *, has_begun: bool) -> None:
    """Write down what is searched, or see that it is what has begun to be.

    Raises:
        InputError: If it is not.
    """
    file = Path(config.out_dir) / "search.json"
    options = dataclasses.asdict(spelled_out(config.fit_config(), dataset))
    now: dict[str, Any] = {
        **{name: value for name, value in options.items() if name not in LOCAL_OPTIONS},
        **{name: str(values) for name, values in space.items()},
        "seed": config.seed,
        "seeds": config.seeds,
        "fingerprint": dataset.fingerprint(),
    }
    now = json.loads(json.dumps(now, default=os.fspath))
    if not has_begun:
        write_json(file, now)
        return
    remedy = "take another --out-dir"
    before = read_json(file, dict[str, Any], what="the options of a search", remedy=remedy)
    if changed := [
        f"{name}={value!r} (was {before.get(name)!r})"
        for name, value in now.items()
        # It is what it holds, wherever it lies.
        if name != "dataset" and value != before.get(name)
    ]:
        raise InputError(
            f"Expected the options of the search in {config.out_dir}. Received: "
            f"{', '.join(changed)}; {remedy}"
        )


def _run_next(
    study: optuna.Study,
    number: int,
    config: SearchConfig,
    space: Space,
    data: tuple[Dataset, dict[str, Genes]],
) -> None:
    """Run the next trial, and print a line of it."""
    from keras_chrome.search.study import STATES, ask
    from keras_chrome.search.trial import run_trial

    own = config.fit_config()
    first = start_of(own, space, len(data[1]["train"]))
    trial = ask(study, seed=config.seed, first=first)
    options = draw(trial, space, own.recipe())

    def is_hopeless(tenth: int, auroc: float) -> bool:
        trial.report(auroc, tenth)
        return trial.should_prune()

    log = Path(config.out_dir) / "logs" / f"trial-{number}.log"
    log.parent.mkdir(exist_ok=True)
    started = time.perf_counter()
    with log.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        outcome = run_trial(
            config.fit_config(_scratch(config), **options),
            data,
            seeds=config.seeds,
            is_hopeless=is_hopeless,
        )
    seconds = time.perf_counter() - started
    for name, value in (("options", options), ("scores", outcome.scores), ("seconds", seconds)):
        trial.set_user_attr(name, value)
    if outcome.state == "complete":
        score = statistics.fmean(outcome.scores)
        study.tell(trial, score)
        result = f"validation AUROC {score:.4f}"
    else:
        study.tell(trial, state=STATES[outcome.state])
        result = outcome.reason or outcome.state
    line = f"[{number}/{config.trials}] {result}, {format_duration(seconds)}: "
    line += "the recipe, " if number == 1 else ""
    print(
        wrapped(line + " ".join(f"{name}={value}" for name, value in options.items())), flush=True
    )
