"""What a run's `config.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from keras_chrome.data import epigenome_of
from keras_chrome.runs.json_reader import checked, made, shown
from keras_chrome.vocabulary import LABELS, SPLIT_SCHEMES, TASKS, TRANSFORMS, split_scheme

FORMAT_VERSION = 1
LOCAL_OPTIONS = frozenset(
    {
        *("run_dir", "data_dir", "resume", "overwrite", "checkpoint"),
        *("strategy", "worker_timeout_s", "stream"),
    }
)
"""Options that say where a run and its files lie, and what trains it, and not what it is."""

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

_OPTIONS: Mapping[str, Any] = {
    "dataset": str | None,
    "data_dir": str | None,
    "init_from": str | None,
    "distill": str | None,
    "mark_dropout": float,
    "permute_labels": bool,
    "seed": int | None,
    "split_seed": int,
    "num_folds": int,
    "fold": int,
}
"""What options hold that are asked for by name, if a run has them."""
_Value = str | float | bool | None
MAX_BINS = 1_000_000
MAX_BP = 1000 * MAX_BINS


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
        return [made(DatasetSpec, part) for part in self.epigenomes or ()] or [self]

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
            ValueError: If something is of its type, and yet no run has it.
        """
        parts = {n: checked(n, content[n], dict) for n in ("model", "dataset", "options")}
        arguments, options = dict(parts["model"]), _options(parts["options"])
        dataset = _dataset(parts["dataset"]) if "name" in parts["dataset"] else None
        if dataset:
            options = {**EARLIER_TRAINING, **options}
        kind: Any = next((k for k in ("baseline", "ensemble") if k in arguments), "variant")
        made_of = arguments.pop(kind)
        checked("transform", arguments.setdefault("transform", TRANSFORMS[0]), str)
        return cls(
            kind=kind,
            model=kind if kind == "ensemble" else checked(kind, made_of, str),
            marks=_marks(arguments["marks"]),
            arguments=arguments,
            members=_members(made_of) if kind == "ensemble" else (),
            bins=_bins(parts["dataset"]),
            dataset=dataset,
            labels=options["labels"],
            split=options["split"],
            seed=options.get("seed"),
            options=options,
            versions=checked("versions", content["versions"], dict[str, str]),
            python=checked("python", content["python"], str),
            git_revision=checked("git_revision", content["git_revision"], str | None),
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


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """The options of a run, with the scheme by the name that it has today."""
    split = split_scheme(checked("split", given.get("split", "dataset"), str))
    options = {**given, "split": split}
    checked("options", options, dict[str, _Value | list[_Value]])
    for name, kind in _OPTIONS.items():
        if name in options:
            checked(name, options[name], kind)
    task = options.get("task", TASKS[0])
    for name, value, known in (
        ("labels", options["labels"], LABELS),
        ("split", split, SPLIT_SCHEMES),
        ("task", task, TASKS),
    ):
        if checked(name, value, str) not in known:
            raise ValueError(f"{name}={shown(value)}, not one of {', '.join(known)}")
    needed = {"chromosome": ("num_folds", "fold"), "dataset": ()}.get(split, ("split_seed",))
    for name in needed:
        options[name]
    return options


def _dataset(content: Mapping[str, Any]) -> DatasetSpec:
    spec: DatasetSpec = made(DatasetSpec, content)
    for part in spec.parts:
        checked("epigenomes", part.epigenomes, None if spec.epigenomes else list[Any] | None)
    return spec


def _bins(content: Mapping[str, Any]) -> Bins:
    bins: Bins = made(Bins, content)
    for name in ("num_bins", "bin_bp", "flank_bp"):
        if not 0 < getattr(bins, name) <= MAX_BP:
            raise ValueError(f"{name}={getattr(bins, name)}")
    if bins.num_bins > MAX_BINS:
        raise ValueError(f"num_bins={bins.num_bins}, more than {MAX_BINS}")
    return bins


def _marks(content: Any) -> tuple[str, ...]:
    marks = checked("marks", content, list[str])
    if len(set(marks)) < len(marks):
        raise ValueError(f"marks={shown(marks)}, not each once")
    return tuple(marks)


def _members(content: Any) -> tuple[Member, ...]:
    members = checked("ensemble", content, list[dict[str, Any]])
    made_of = tuple(made(Member, member) for member in members)
    if not made_of or not all(m.kind in ("variant", "baseline") for m in made_of):
        raise ValueError("ensemble without members, or with some that are no variant or baseline")
    if not all(m.weight >= 0 for m in made_of) or not any(m.weight for m in made_of):
        raise ValueError("weights of members that are negative, or all nothing")
    for member in made_of:
        checked("options", member.options, dict[str, _Value | list[_Value]])
    return made_of
