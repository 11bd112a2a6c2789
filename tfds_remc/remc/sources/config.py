"""What to build: the options that all sources share, and which class has the others."""

# TFDS has no types.
# mypy: allow-subclassing-any

from __future__ import annotations

import dataclasses
import numbers
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from ..epigenomes import EPIGENOMES, canonical_mark, spelling_warnings
from ..errors import InputError, require_known
from ..expression import ExpressionUnit, MedianOver
from ..find_files import fingerprint
from ..regions import count_bins
from .examples import Examples, Inputs

_READY_MADE_NAMES = ("demo", *EPIGENOMES, "Toy")
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_TFDS_OPTIONS = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    Path: "the path of a file",
    tuple: "a list of names",
}


@dataclasses.dataclass(eq=False, kw_only=True)
class RemcConfig(tfds.core.BuilderConfig):
    """What to build.

    Each source has a class of its own, with the options that it has a use for. Called itself, this
    one answers that of the `source`, or of own data where a `sample_sheet` or `signal_array` is
    given:

        >>> type(RemcConfig(name="small", source="simulated", num_genes=30)).__name__
        'SimulatedConfig'

    Attributes:
        name: Name of the dataset; that of the epigenome unless given.
        source: "published", the authors' archive, unless given; "simulated"; "alignments",
            "fold_change" or "p_value" of Roadmap; "sample_sheet" or "signal_array" of one's own.
        epigenome: Roadmap id of the epigenome, "E003", or its name in own data; "" if simulated.
        marks: Names of the marks, in the order of the signal's last axis; all that the source has
            unless given.
        bin_bp: Width of a bin.
        flank_bp: Distance from the gene region's start to the TSS.

    Raises:
        InputError: If an option is unknown or has no use, a file is missing or at fault, or the
            epigenome or a mark is not there.
    """

    name: str = ""
    source: str = "published"
    epigenome: str = ""
    marks: tuple[str, ...] = ()
    bin_bp: int = 100
    flank_bp: int = 5000

    sources: ClassVar[tuple[str, ...]] = ()
    """What `source` may be in this class."""

    is_ready_made: ClassVar[bool] = False
    """Whether there are datasets of it by name, whose marks are fixed."""

    _class_of: ClassVar[dict[str, type[RemcConfig]]] = {}

    def __init_subclass__(cls, *, sources: Sequence[str] = (), **kwargs: Any) -> None:
        """Makes a class of config known by the names of its sources."""
        super().__init_subclass__(**kwargs)
        cls.sources = tuple(sources)
        RemcConfig._class_of |= dict.fromkeys(sources, cls)

    def __new__(cls, **options: Any) -> RemcConfig:
        """Creates the config of the source that the options name."""
        of_source = RemcConfig._class_of[_source_of(options)] if cls is RemcConfig else cls
        if options:  # Copying creates an empty one, and fills it in.
            of_source._check_use(options)
        return object.__new__(of_source)

    def __post_init__(self) -> None:
        self.warnings: tuple[str, ...] = ()
        """A line on each option that is taken for another than was written."""
        for name, hint in self.option_types().items():
            setattr(self, name, _converted(name, getattr(self, name), hint))
        require_known("source", self.source, self.sources)
        count_bins(flank_bp=self.flank_bp, bin_bp=self.bin_bp)
        self.complete()
        self._choose_marks()
        self._choose_name()

    def complete(self) -> None:
        """Fills in what follows from the options, and checks the epigenome."""

    def known_marks(self) -> tuple[str, ...]:
        """Returns the marks that a dataset has unless some are chosen."""
        raise NotImplementedError

    def check_marks(self, known: Sequence[str]) -> None:
        """Refuses marks that the source has not.

        Args:
            known: What `known_marks` returns.
        """
        for mark in self.marks:
            require_known("mark", mark, known)

    def features(self) -> dict[str, Any]:
        """Returns the features that an example of this source has beside those of all."""
        return {}

    def examples(self, inputs: Inputs) -> Examples:
        """Makes the examples of all splits."""
        raise NotImplementedError

    @property
    def genome(self) -> str:
        """Genome of the gene regions, such as "hg19"; "" if unknown."""
        return ""

    @property
    def unit(self) -> ExpressionUnit:
        """Unit of the expression."""
        return "RPKM"

    @property
    def median_over(self) -> MedianOver:
        """Which genes the median is over that parts high from low."""
        return "table"

    @property
    def num_bins(self) -> int:
        """Bins a gene region."""
        return count_bins(flank_bp=self.flank_bp, bin_bp=self.bin_bp)

    def __str__(self) -> str:
        return self.name

    def options(self) -> dict[str, Any]:
        """The options that decide what is built, but for files, as JSON holds them."""
        types = self.option_types()
        names = [name for name, hint in types.items() if name != "name" and not _is_path(hint)]
        return {name: getattr(self, name) for name in names} | {"marks": list(self.marks)}

    def provenance(self) -> dict[str, dict[str, Any]]:
        """Name, size and MD5 of the files that options name, by option."""
        names = [name for name, hint in self.option_types().items() if _is_path(hint)]
        paths = {name: path for name in names if (path := getattr(self, name))}
        return {name: {"file": p.name, **fingerprint(p)} for name, p in paths.items()}

    @classmethod
    def option_types(cls) -> dict[str, Any]:
        """The types of the options, but for those that only TFDS has a use for."""
        # TFDS writes a type of its own as text in an alias.
        hints = typing.get_type_hints(cls, localns={"Version": tfds.core.Version})
        ours = (field.name for field in dataclasses.fields(cls) if field.init)
        return {name: hints[name] for name in ours if name not in _TFDS_OPTIONS - {"name"}}

    @classmethod
    def _check_use(cls, options: Mapping[str, Any]) -> None:
        known = cls.option_types()
        if useless := options.keys() - known.keys() - _TFDS_OPTIONS:
            raise InputError(
                f"Expected options that source={options.get('source') or cls.sources[0]!r} has a "
                f"use for: {', '.join(known)}. "
                f"Received: {', '.join(name for name in options if name in useless)}."
            )
        defaults = {field.name: field.default for field in dataclasses.fields(cls)}
        needed = [name for name in known if defaults[name] is dataclasses.MISSING]
        if missing := [name for name in needed if not options.get(name)]:
            raise InputError(
                f"Expected {', '.join(needed)} of own data. Received: no {', '.join(missing)}."
            )

    def _choose_marks(self) -> None:
        known = self.known_marks()
        written, self.marks = self.marks, tuple(map(canonical_mark, self.marks)) or known
        self.warnings += tuple(spelling_warnings(written, "marks"))
        if self.is_ready_made and self.marks != known:
            raise InputError(
                f"Expected the marks in the order {', '.join(known)}. "
                f"Received: marks={', '.join(self.marks)}."
            )
        self.check_marks(known)
        if len(set(self.marks)) < len(self.marks):
            raise InputError(f"Expected each mark once. Received: marks={', '.join(written)}.")

    def _choose_name(self) -> None:
        if not self.name:
            # The names of the ready-made datasets stay theirs.
            is_taken = not self.is_ready_made and self.epigenome in _READY_MADE_NAMES
            self.name = f"{self.epigenome}_{self.source}" if is_taken else self.epigenome
        if not self.is_ready_made and self.name in _READY_MADE_NAMES:
            raise InputError(
                f"Expected a name that no ready-made dataset has. Received: name={self.name!r}."
            )
        # It becomes a folder, and TFDS reads "remc/NAME:VERSION".
        if not _NAME.fullmatch(self.name):
            raise InputError(
                "Expected a name of the dataset of letters, digits, '_', '-' and '.'. Received: "
                f"name={self.name!r}. Give a name where the epigenome's own will not do."
            )


def in_usual_case(value: Any, known: Sequence[str]) -> Any:
    """Returns the known word that a value is but for its case; any other value as it is."""
    same = (word for word in known if word.lower() == str(value).lower())
    return next(same, value)


def _source_of(options: Mapping[str, Any]) -> str:
    """The source that is named, or that of own data, which is named as its option."""
    known = RemcConfig._class_of
    source = options.get("source") or next(filter(options.get, known), "published")
    require_known("source", source, known)
    return str(source)


def _is_path(hint: Any) -> bool:
    return hint is Path or Path in typing.get_args(hint)


def _converted(option: str, value: Any, hint: Any) -> Any:
    """The value of an option, from Python or from JSON, as its type has it."""
    if typing.get_origin(hint) is types.UnionType:
        if value is None:
            return None
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is typing.Literal:
        word = in_usual_case(value, typing.get_args(hint))
        require_known(option, word, typing.get_args(hint))
        return word
    kind = typing.get_origin(hint) or hint
    if kind is tuple and isinstance(value, (list, tuple)):
        return tuple(_converted(option, each, str) for each in value)
    if kind is Path and isinstance(value, (str, Path)):
        path = Path(value).expanduser()
        if not path.is_file():
            raise InputError(f"Expected a file. Received: {option}={str(path)!r}, no such file.")
        return path
    if kind is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if kind in (bool, str) and isinstance(value, kind):
        return value
    raise InputError(f"Expected {option} to be {_WORDS[kind]}. Received: {option}={value!r}.")
