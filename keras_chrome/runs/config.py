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
    "task": "classification",
    "targets": "hard",
    "target_width": 1.0,
    "distill": None,
    "calibrate": "none",
    "least_steps": 0,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.15,
    "ema": 0.0,
    "regression_weight": 0.0,
    "mixup": 0.0,
    "gain": 0.0,
    "shift": 0,
    "empty_bins": 0.0,
    "mark_dropout": 0.0,
    "epigenome_bias": False,
    "leave_out": None,
    "init_from": None,
    "freeze": "none",
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
    """What is kept of the dataset that a run was trained on, of `Dataset.description`.

    Of several epigenomes `epigenomes` holds the description of each.
    """

    name: str
    fingerprint: str
    marks: list[str] | None = None
    genome: str | None = None
    oriented: bool | None = None
    label_rule: str | None = None
    median_rpkm: float | None = None
    unit: str | None = None
    epigenomes: list[dict[str, Any]] | None = None

    @property
    def parts(self) -> list[DatasetSpec]:
        """What is kept of the dataset of each epigenome."""
        return [_made(DatasetSpec, part) for part in self.epigenomes or ()] or [self]

    @property
    def medians(self) -> list[float | None]:
        """As `Dataset.medians`."""
        return [part.median_rpkm for part in self.parts]

    @property
    def epigenome(self) -> str:
        """`E012` of `remc/E012`."""
        return epigenome_of(self.name)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A run that became a member of an ensemble.

    Attributes:
        run: The run directory, as it was named.
        kind: `variant` or `baseline`.
        model: Its name.
        seed: Of its training.
        weight: What it counts in the mean; one of 0 is not in the ensemble's model.
        sha256: Of its model's file.
        options: Of its training, but for those that say where files lie.
    """

    run: str
    kind: str
    model: str
    seed: int | None
    weight: float
    sha256: str
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What made a run.

    Attributes:
        kind: Whether the model is a variant, which is a network, a baseline or an ensemble.
        model: Its name; `ensemble` of an ensemble.
        marks: The marks that it reads, in order.
        arguments: All that built it: `marks`, `num_bins`, `transform`, and what only it has.
        members: Of an ensemble, in order; none of another model.
        bins: The gene regions that it reads.
        dataset: What it was trained on; None if its weights were imported.
        labels: The label rule that it was trained on.
        split: The split scheme; `dataset` if its weights were imported.
        seed: Of the training, of an ensemble the first member's; None if its weights were imported.
        options: All options of the command that made the run.
        versions: Of the packages that made it, by their names.
        python: Version of Python.
        git_revision: Of the source; None outside a checkout.
    """

    kind: Literal["variant", "baseline", "ensemble"]
    model: str
    marks: tuple[str, ...]
    arguments: Mapping[str, Any]
    members: tuple[Member, ...]
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
        kind: Any = next((k for k in ("baseline", "ensemble") if k in arguments), "variant")
        made_of = arguments.pop(kind)
        for name in ("dataset", "data_dir"):
            _checked(name, options.get(name), str | None)
        return cls(
            kind=kind,
            model=kind if kind == "ensemble" else _checked(kind, made_of, str),
            marks=tuple(
                _checked("marks", mark, str) for mark in _checked("marks", arguments["marks"], list)
            ),
            arguments=arguments,
            members=_members(made_of) if kind == "ensemble" else (),
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

    @property
    def counted_members(self) -> tuple[Member, ...]:
        """The members that the ensemble's model is made of: those that count."""
        return tuple(member for member in self.members if member.weight > 0)

    @property
    def without_graph(self) -> tuple[str, ...]:
        """The baselines in the model, by name; a model without any is one network."""
        if self.kind == "baseline":
            return (self.model,)
        return tuple(m.model for m in self.counted_members if m.kind == "baseline")


def _members(content: Any) -> tuple[Member, ...]:
    members = _checked("ensemble", content, list)
    return tuple(_made(Member, _checked("member", member, dict)) for member in members)


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
