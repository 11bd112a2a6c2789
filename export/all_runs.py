"""Export of every finished run below a folder, the seeds of one kind as one ensemble."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.formats import Format, check_format
from export.fresh_process import FreshProcess
from export.run import export_line, export_runs
from keras_chrome.errors import InputError
from keras_chrome.runs import Run, open_run
from keras_chrome.runs.config import LOCAL_OPTIONS, DatasetSpec
from keras_chrome.runs.finished import run_directories


def export_all(
    runs_dir: str | Path,
    models_dir: str | Path,
    *,
    format: Format = "savedmodel",
    stable: bool = False,
    base_path: str | None = None,
) -> list[Path]:
    """Export every finished run at or below a folder, as `export_runs` does.

    Runs that differ in their seed alone become one ensemble. A model is named for its epigenome,
    `E012`; where the runs found are of several variants or label rules, these follow:
    `E012-lstm-published`.

    A line is printed for each model, and at last one that counts the runs that were left out: those
    of a baseline, which is exported by itself if at all, or of an ensemble with one, and unfinished
    ones.

    Args:
        runs_dir: A folder with run directories at any depth.
        models_dir: Folder of served models; made if it is missing.
        format: `savedmodel` or `onnx`.
        stable: Make the new versions stable at once.
        base_path: Where a server finds `models_dir`, see `write_models_config`.

    Returns:
        The folders of the models.

    Raises:
        InputError: If there is no run to export; at the end, if one failed. The others are exported
            all the same.

    Example:
        >>> export.export_all("sweeps/a/runs", "models")
        [PosixPath('models/E003/1'), PosixPath('models/E012/1')]
    """
    # Refused once rather than for each model.
    check_format(format, Path(models_dir).expanduser(), stable=stable, base_path=base_path)
    runs, left_out, failed = _find(Path(runs_dir).expanduser())
    exported = []
    with FreshProcess() as process:
        for name, kinds in _by_name(runs).items():
            try:
                run_dirs = [run.path for run in _one_ensemble(kinds)]
                model_dir = export_runs(
                    run_dirs,
                    models_dir,
                    name,
                    format=format,
                    stable=stable,
                    base_path=base_path,
                    fresh_process=process,
                )
            except Exception as error:  # Such as whatever Keras makes of a damaged file.
                failed.append(_failure(name, error))
            else:
                exported.append(model_dir)
                print(export_line(model_dir, run_dirs), flush=True)
    print(
        f"exported: {len(exported)}; failed: {len(failed)}; left out: {_counts(left_out)}",
        flush=True,
    )
    if failed:
        raise InputError(
            f"Expected every finished run to be exported. Received: {len(failed)} that failed, "
            f"{', '.join(failed)}. Each has said why above"
        )
    return exported


def _find(runs_dir: Path) -> tuple[list[Run], Counter[str], list[str]]:
    """The runs to export, how many others there are of which sort, and the damaged ones."""
    runs: list[Run] = []
    left_out: Counter[str] = Counter()
    damaged = []
    for path in run_directories(runs_dir):
        try:
            run = open_run(path)
            if run.config.without_graph:
                mixed = run.config.kind == "ensemble"
                left_out["of an ensemble with a baseline" if mixed else "of a baseline"] += 1
            elif not run.is_finished:
                left_out["unfinished"] += 1
            else:
                _dataset(run)
                runs.append(run)
        except InputError as error:
            damaged.append(_failure(path, error))
    if not runs and not damaged:
        raise InputError(
            "Expected a folder with finished runs of Keras models. Received: "
            f"{runs_dir}; left out: {_counts(left_out)}"
        )
    return runs, left_out, damaged


def _dataset(run: Run) -> DatasetSpec:
    if run.config.dataset is None:
        raise InputError(
            f"Expected a run that knows its dataset, which names the model. Received: {run.path}, "
            "with imported weights. Export it by itself with --name"
        )
    return run.config.dataset


def _kind(run: Run) -> dict[str, Any]:
    """What the members of an ensemble have in common."""
    options = run.config.options
    return {
        "dataset contents": _dataset(run).fingerprint,
        "variant": run.model_name,
        "labels": run.labels,
        **{k: v for k, v in options.items() if k not in LOCAL_OPTIONS and k != "seed"},
    }


def _by_name(runs: Sequence[Run]) -> dict[str, list[list[Run]]]:
    """The runs of each kind, by the name of their model; a good name has one kind."""
    variants, labels = {run.model_name for run in runs}, {run.labels for run in runs}
    names: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        name = "-".join(
            [
                _dataset(run).epigenome,
                *([run.model_name] if len(variants) > 1 else []),
                *([run.labels] if len(labels) > 1 else []),
            ]
        )
        kind = json.dumps(_kind(run), sort_keys=True)
        names.setdefault(name, {}).setdefault(kind, []).append(run)
    return {name: list(kinds.values()) for name, kinds in sorted(names.items())}


def _one_ensemble(kinds: Sequence[Sequence[Run]]) -> Sequence[Run]:
    members, *others = kinds
    if others:
        first, other = members[0], others[0][0]
        expected, received = _kind(first), _kind(other)
        differing = sorted(
            key
            for key in expected.keys() | received.keys()
            if expected.get(key) != received.get(key)
        )
        raise InputError(
            "Expected runs that differ in epigenome, variant, label rule and seed alone. Received: "
            f"{first.path} and {other.path}, which differ in {', '.join(differing)}. Export them "
            "one after the other, each with a --name"
        )
    by_seed: dict[int | None, Run] = {}
    for run in members:
        same = by_seed.setdefault(run.config.seed, run)
        if same is not run:
            raise InputError(
                f"Expected runs of different seeds. Received: {same.path} and {run.path}, the same "
                "training twice. Move one of them away"
            )
    return members


def _failure(what: str | Path, error: Exception) -> str:
    """Say why something failed; its name."""
    reason = (str(error).splitlines() or [""])[0]
    kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
    print(f"{what}: failed: {kind}{reason}", flush=True)
    return str(what)


def _counts(left_out: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in left_out.items()) or "none"
