"""Make one run of several.

As a command: `python -m keras_chrome.ensemble RUN... --run-dir ENSEMBLE`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.atomic import atomic_path
from keras_chrome.ensemble.members import open_members
from keras_chrome.ensemble.stack import Stack, choose_weights
from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate_genes
from keras_chrome.runs import new_run
from keras_chrome.runs.config import LOCAL_OPTIONS
from keras_chrome.runs.files import write_csv, write_json
from keras_chrome.runs.run import check_free

if TYPE_CHECKING:
    from keras_chrome.data import Dataset, Genes
    from keras_chrome.runs import Run

# What an ensemble's options say as those of its members do; the seed is the first one's.
_SHARED_OPTIONS = (
    *("dataset", "marks", "task", "labels", "split", "split_seed", "num_folds", "fold", "seed"),
)


def ensemble(
    run_dirs: Iterable[str | Path],
    run_dir: str | Path,
    *,
    stack: bool = False,
    data_dir: str | Path | None = None,
) -> Run:
    """Make a run directory of several finished runs, whose model answers their mean.

    The probability is the sigmoid of the mean of the members' logits, of a baseline the log-odds of
    its probability; alpha and beta are the means over the members that have them; and the model
    also answers how far the members lie apart, `probability_sd`, `alpha_sd` and `beta_sd`. Of
    regression it is the expression that is averaged, and `expression_sd` that tells how far.

    If all members are networks, the model is one Keras model, `model.keras`, and every command
    takes the run as it takes one of a variant. With a baseline among them it has no gradient, as
    baselines have none, and the run holds copies of the members' files, in `members`.

    Args:
        run_dirs: Run directories, two or more: of the same task, contents of a dataset, marks,
            label rule and genes in each split, of any variants, baselines and seeds.
        run_dir: The run directory to write.
        stack: Whether to choose the members' weights by the log loss on the validation genes, of
            regression by the squared error. They are 0 or more and sum to one; a member of weight
            0 is left out of the model. Networks have chosen their best epoch on these genes, so
            that they may weigh a little too much.
        data_dir: Where datasets were built; where the first run found its own if None.

    Returns:
        The run, with `splits.csv`, `metrics.json` and `predictions.csv`, in which `probability_sd`
        stands beside the probability.

    Raises:
        InputError: If the runs do not go together, the dataset is missing or was built anew with
            other contents, or the run directory holds a run already.

    Example:
        >>> ensemble(["runs/seed-0", "runs/seed-1"], "runs/both").metrics["test"]["auroc"]
    """
    runs = open_members(run_dirs)
    first = runs[0]
    check_free(run_dir)
    dataset = _open_dataset(first, data_dir)
    task = first.task
    genes = {
        split: task.known(first.load_genes(split, dataset=dataset)) for split in ("valid", "test")
    }
    for of_split in genes.values():
        task.check(of_split, dataset, first.labels)
    weights: Sequence[float] = [1 / len(runs)] * len(runs)
    if stack:
        chosen = _stack(runs, genes["valid"])
        weights = chosen.weights
        print(
            f"weights: by {task.loss_title} on {len(genes['valid']):,} validation genes, "
            f"{chosen.loss:.4f}; with equal weights {chosen.equal_loss:.4f}",
            flush=True,
        )
    with new_run(
        run_dir,
        options=_options(runs, stack=stack, run_dir=run_dir, data_dir=data_dir),
        model=_model_arguments(runs, weights),
        dataset=dataset.description(),
        verb="ensemble",
    ) as run:
        write_csv(run.path / "splits.csv", first.splits)
        _write_model(run, [r for r, w in zip(runs, weights, strict=True) if w > 0])
        metrics = evaluate_genes(run, list(genes.values()), labels=first.labels, unit=dataset.unit)
        write_json(run.path / "metrics.json", metrics)
    return run


def _open_dataset(first: Run, data_dir: str | Path | None) -> Dataset:
    dataset = first.open_dataset(data_dir=data_dir)
    if first.config.dataset and first.config.dataset.fingerprint != dataset.fingerprint():
        raise InputError(
            f"Expected the dataset that {first.path} was trained on. Received: {dataset.path}, "
            "which has been built anew with other contents"
        )
    return dataset


def _stack(runs: Sequence[Run], genes: Genes) -> Stack:
    from keras_chrome.models.mixed_ensemble import member_answers

    answers = [member_answers(run.load_model(), genes.signal) for run in runs]
    logits = np.stack([answer["logit"][:, 0] for answer in answers])
    task = runs[0].task
    return choose_weights(logits, task.truth(genes), task)


def _options(runs: Sequence[Run], **options: Any) -> dict[str, Any]:
    """The options of the command, and those that its members had in common."""
    of_first = runs[0].config.options
    shared = {name: of_first[name] for name in _SHARED_OPTIONS if name in of_first}
    data_dir = options["data_dir"] or of_first.get("data_dir")
    # It reads an epigenome that lacks a mark if each of its members does.
    mark_dropout = min(run.config.options.get("mark_dropout") or 0.0 for run in runs)
    given = {"mark_dropout": mark_dropout, "data_dir": data_dir, "model": "ensemble"}
    return {**shared, **options, **given}


def _model_arguments(runs: Sequence[Run], weights: Sequence[float]) -> dict[str, Any]:
    transforms = {run.config.arguments["transform"] for run in runs}
    return {
        "ensemble": [
            {
                "run": str(run.path),
                "kind": run.config.kind,
                "model": run.model_name,
                "seed": run.config.seed,
                "weight": weight,
                "sha256": hashlib.sha256(run.model_files[0].read_bytes()).hexdigest(),
                "options": {k: v for k, v in run.config.options.items() if k not in LOCAL_OPTIONS},
            }
            for run, weight in zip(runs, weights, strict=True)
        ],
        "marks": list(runs[0].marks),
        "num_bins": runs[0].config.bins.num_bins,
        "transform": " and ".join(sorted(transforms)),
    }


def _write_model(run: Run, members: Sequence[Run]) -> None:
    """Write one network of the members, or copies of their files if one is a baseline."""
    if not run.config.without_graph:
        from keras_chrome.models.ensemble import ensemble_model

        weights = [member.weight for member in run.config.counted_members]
        run.save_model(ensemble_model([member.load_model() for member in members], weights))
        return
    for member, target in zip(members, run.model_files, strict=True):
        with atomic_path(target) as temporary:
            shutil.copyfile(member.model_files[0], temporary)
