"""What a run's `config.json` holds."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from keras_chrome.data import epigenome_of
from keras_chrome.vocabulary import split_scheme

FORMAT_VERSION = 1
LOCAL_OPTIONS = frozenset({"run_dir", "data_dir", "resume", "overwrite", "checkpoint"})
"""Options that say where a run and its files lie, and not what it is."""

EARLIER_TRAINING: Mapping[str, Any] = {
    "targets": "hard",
    "target_width": 1.0,
    "distill": None,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.15,
    "ema": 0.0,
    "regression_weight": 0.0,
    "mixup": 0.0,
    "gain": 0.0,
    "shift": 0,
    "empty_bins": 0.0,
}
"""Options that runs of earlier versions do not name, with what was done then."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The gene regions that a model reads; as in `keras_chrome.data.Dataset`."""

    num_bins: int
    bin_bp: int
    flank_bp: int


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What is kept of the dataset that a run was trained on, of `Dataset.description`."""

    name: str
    fingerprint: str
    marks: list[str] | None = None
    genome: str | None = None
    oriented: bool | None = None
    label_rule: str | None = None
    median_rpkm: float | None = None

    @property
    def epigenome(self) -> str:
        """`E012` of `remc/E012`."""
        return epigenome_of(self.name)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What made a run.

    Attributes:
        kind: Whether the model is a variant, which is a network, or a baseline.
        model: Its name.
        marks: The marks that it reads, in order.
        arguments: All that built it: `marks`, `num_bins`, `transform`, and what only it has.
        bins: The gene regions that it reads.
        dataset: What it was trained on; None if its weights were imported.
        labels: The label rule that it was trained on.
        split: The split scheme; `dataset` if its weights were imported.
        seed: Of the training; None if its weights were imported.
        options: All options of the command that made the run.
        versions: Of the packages that made it, by their names.
        python: Version of Python.
        git_revision: Of the source; None outside a checkout.
    """

    kind: Literal["variant", "baseline"]
    model: str
    marks: tuple[str, ...]
    arguments: Mapping[str, Any]
    bins: Bins
    dataset: DatasetSpec | None
    labels: str
    split: str
    seed: int | None
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    python: str
    git_revision: str | None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunConfig:
        """The content of `config.json`, checked.

        Raises:
            KeyError: If something is missing.
            TypeError: If something has another type.
        """
        parts = {n: _checked(n, content[n], dict) for n in ("model", "dataset", "options")}
        arguments = dict(parts["model"])
        split = split_scheme(_checked("split", parts["options"].get("split", "dataset"), str))
        options = {**parts["options"], "split": split}
        if "name" in parts["dataset"]:
            options = {**EARLIER_TRAINING, **options}
        kind: Literal["variant", "baseline"] = "baseline" if "baseline" in arguments else "variant"
        for name in ("dataset", "data_dir"):
            _checked(name, options.get(name), str | None)
        return cls(
            kind=kind,
            model=_checked(kind, arguments.pop(kind), str),
            marks=tuple(
                _checked("marks", mark, str) for mark in _checked("marks", arguments["marks"], list)
            ),
            arguments=arguments,
            bins=_made(Bins, parts["dataset"]),
            dataset=_made(DatasetSpec, parts["dataset"]) if "name" in parts["dataset"] else None,
            labels=_checked("labels", options["labels"], str),
            split=split,
            seed=_checked("seed", options.get("seed"), int | None),
            options=options,
            versions=_checked("versions", content["versions"], dict),
            python=_checked("python", content["python"], str),
            git_revision=_checked("git_revision", content["git_revision"], str | None),
        )


def _made(of_class: type[_T], values: Mapping[str, Any]) -> _T:
    """A dataclass from those values that are its fields."""
    hints = typing.get_type_hints(of_class)
    # What is missing and has no default is a TypeError of the class itself.
    return of_class(**{n: _checked(n, values[n], hints[n]) for n in hints if n in values})


def _checked(name: str, value: Any, kind: Any) -> Any:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if not isinstance(value, tuple(typing.get_origin(k) or k for k in kinds)):
        raise TypeError(f"{name}={value!r}")
    return value
