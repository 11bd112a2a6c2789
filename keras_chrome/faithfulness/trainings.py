"""The run's model trained again, with other seeds and on shuffled labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.errors import InputError
from keras_chrome.faithfulness.config import FaithfulnessConfig
from keras_chrome.fit import FitConfig, fit
from keras_chrome.runs import open_run

if TYPE_CHECKING:
    from keras_chrome.runs import Run


def other_trainings(run: Run, config: FaithfulnessConfig, directory: Path) -> dict[str, Run]:
    """Train as a run was, with other seeds and on shuffled labels, unless it was done before.

    Args:
        run: The run.
        config: How many seeds, and whether there are shuffled labels.
        directory: Where the runs are or will be, in `runs`.

    Returns:
        The runs by name, `seed-N` and `permuted-labels`; none for a run that `fit` did not write.

    Raises:
        InputError: If earlier ones are of other contents of the dataset.
    """
    options = run.config.options
    changes: dict[str, dict[str, Any]] = {
        f"seed-{seed}": {"seed": seed}
        for seed in range(config.num_seeds)
        if seed != run.config.seed
    }
    changes = dict(list(changes.items())[: config.num_seeds - 1])
    if config.permuted_labels:
        changes["permuted-labels"] = {"permute_labels": True}
    if (dataset := run.config.dataset) is None:
        if changes:
            print(f"seeds, permuted_labels: not measured, {run.path} was not trained here")
        return {}
    runs = {}
    for name, change in changes.items():
        path = directory / "runs" / name
        if not (path / "metrics.json").is_file():
            print(f"\ntraining {path}", flush=True)
            local = {"run_dir": path, "resume": True, "overwrite": False}
            fit(FitConfig(**{**options, **change, **local}))
        runs[name] = open_run(path)
        others = runs[name].config.dataset
        if others is None or others.fingerprint != dataset.fingerprint:
            raise InputError(
                f"Expected runs on the dataset of {run.path}. Received: {path}, of other contents; "
                f"remove {directory / 'runs'}"
            )
    return runs
