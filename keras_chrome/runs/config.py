"""What a run's `config.json` holds."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from keras_chrome.data import epigenome_of

FORMAT_VERSION = 1
LOCAL_OPTIONS = frozenset({"run_dir", "data_dir", "resume", "overwrite", "checkpoint"})
"""Options that say where a run and its files lie, and not what it is."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The gene regions that a model reads; as in `keras_chrome.data.Dataset`."""

    num_bins: int
    bin_bp: int
    flank_bp: int


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """The dataset that a run was trained on, as `Dataset.description` says it."""

    name: str
    version: str = ""
    fingerprint: str
    marks: tuple[str, ...] = ()
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
        arguments: What else built it: `marks`, `num_bins`, `transform`, and what only it has.
        bins: The gene regions that it reads.
        dataset: What it was trained on; None if its weights were imported.
        options: Of the command that made the run.
        versions: Of the packages that made it, by their names.
        python: Version of Python.
        git_revision: Of the source; None outside a checkout.
        marks: The marks that the model reads, in order.
        labels: The label rule that it was trained on.
        split: The split scheme; `published` if the weights were imported.
        seed: Of the training; None if the weights were imported.
    """

    kind: Literal["variant", "baseline"]
    model: str
    arguments: Mapping[str, Any]
    bins: Bins
    dataset: DatasetSpec | None
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    python: str
    git_revision: str | None
    marks: tuple[str, ...] = field(init=False)
    labels: str = field(init=False)
    split: str = field(init=False)
    seed: int | None = field(init=False)

    def __post_init__(self) -> None:
        derived = {
            "marks": _checked("marks", self.arguments["marks"], tuple[str, ...]),
            "labels": _checked("labels", self.options["labels"], str),
            "split": _checked("split", self.options.get("split", "published"), str),
            "seed": _checked("seed", self.options.get("seed"), int | None),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        for name in ("dataset", "data_dir"):
            _checked(name, self.options.get(name), str | None)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunConfig:
        """Read what `to_json` wrote.

        Raises:
            KeyError: If something is missing.
            TypeError: If something has another type.
        """
        model = dict(_checked("model", content["model"], dict))
        kind: Literal["variant", "baseline"] = "baseline" if "baseline" in model else "variant"
        of_data = _checked("dataset", content["dataset"], dict)
        return cls(
            kind=kind,
            model=_checked(kind, model.pop(kind), str),
            arguments=model,
            bins=_made(Bins, of_data),
            dataset=_made(DatasetSpec, of_data) if "name" in of_data else None,
            options=_checked("options", content["options"], dict),
            versions=_checked("versions", content["versions"], dict),
            python=_checked("python", content["python"], str),
            git_revision=_checked("git_revision", content["git_revision"], str | None),
        )

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        of_data = dataclasses.asdict(self.dataset) if self.dataset else {}
        return {
            "format_version": FORMAT_VERSION,
            "options": dict(self.options),
            "model": {self.kind: self.model, **self.arguments},
            "dataset": of_data | dataclasses.asdict(self.bins),
            "versions": dict(self.versions),
            "python": self.python,
            "git_revision": self.git_revision,
        }


def _made(of_class: type[_T], values: Mapping[str, Any]) -> _T:
    """A dataclass from those values that are its fields."""
    hints = typing.get_type_hints(of_class)
    # What is missing and has no default is a TypeError of the class itself.
    return of_class(**{n: _checked(n, values[n], hints[n]) for n in hints if n in values})


def _checked(name: str, value: Any, hint: Any) -> Any:
    """A value of that type, a list as a tuple.

    Raises:
        TypeError: If it is of another.
    """
    kinds = typing.get_args(hint) or (hint,)
    if typing.get_origin(hint) is tuple:
        is_right = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        value = tuple(value) if is_right else value
    else:
        # JSON may write a whole number for a float.
        is_right = isinstance(value, (*kinds, int) if float in kinds else kinds)
    if not is_right:
        raise TypeError(f"{name}={value!r}")
    return value
