"""What to build: the options of the dataset `remc`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import tensorflow_datasets as tfds

from .chromosomes import GENOMES
from .epigenomes import EPIGENOMES, HELD_OUT_MARK, MARKS
from .errors import InputError
from .expression import ExpressionUnit
from .gene_table import TssLevel
from .own_data import NORMALIZATIONS
from .reads import POSITIONS
from .regions import EndPolicy, count_bins
from .samples import Sample, read_sample_sheet, samples_of
from .signal_array import SignalArray, read_signal_array
from .sources import SIGNAL_FILES, fingerprint

_FILE_OPTIONS = ("sample_sheet", "signal_array", "genes", "expression")
_READING_OPTIONS = (
    *("tss", "biotype", "edges", "position", "extend_bp", "min_mapq"),
    *("normalize", "subtract_control", "seed"),
)
_OPTIONS_OF = {
    "published": ("folder", "oriented"),
    "simulated": ("num_genes", "seed"),
    **dict.fromkeys(SIGNAL_FILES, _READING_OPTIONS),
    "sample_sheet": ("sample_sheet", "genes", "expression", "unit", "genome", *_READING_OPTIONS),
    "signal_array": ("signal_array", "expression", "unit", "genome", "seed"),
}
_OPTIONS_OF_ALL = ("source", "epigenome", "marks", "bin_bp", "flank_bp")
_CHOICES = {
    "source": tuple(_OPTIONS_OF),
    "unit": get_args(ExpressionUnit),
    "tss": get_args(TssLevel),
    "edges": get_args(EndPolicy),
    "genome": ("", *GENOMES),
    "position": POSITIONS,
    "normalize": NORMALIZATIONS,
}
_READY_MADE_NAMES = ("demo", *EPIGENOMES, "Toy")
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclasses.dataclass(eq=False, kw_only=True)
class RemcConfig(tfds.core.BuilderConfig):
    """What to build.

    An option that the source has no use for is refused, not ignored.

    Attributes:
        name: Name of the dataset; that of the epigenome unless given.
        source: "published", the authors' archive; "simulated"; "alignments", Roadmap's consolidated
            reads; "fold_change" or "p_value", Roadmap's tracks of them against control;
            "sample_sheet" or "signal_array", own data, if one of these is given.
        epigenome: Roadmap id of the epigenome, "E003", or its name in the sample sheet; "" if
            simulated.
        folder: The epigenome's folder in the authors' archive; its id unless given.
        marks: Names of the marks, in the order of the signal's last axis; all that the source has
            unless given.
        bin_bp: Width of a bin.
        flank_bp: Distance from the gene region's start to the TSS.
        oriented: Whether the bins of the published file already run in the direction of
            transcription; None to measure it.
        num_genes: Genes to simulate.
        seed: Of the simulation, or of the splits of own data.
        sample_sheet: Own data: a sheet that says which file holds which mark, see `samples.py`.
        signal_array: Own data that are binned already, see `signal_array.py`.
        genes: Gene table, GTF or GFF3 of own reads.
        expression: Expression table of own data, with a column named as the epigenome.
        unit: What its numbers are: RPKM, FPKM, TPM or counts.
        tss: "gene", a region a gene, or "transcript", one for each distinct TSS.
        biotype: Genes of this biotype only, where a GTF or GFF3 has biotypes; None for all.
        edges: "keep" or "drop" regions that reach over an end of their chromosome.
        genome: Genome of own data, such as "hg38", which files are checked against; "" for none.
        position: "overlap" or "five_prime": where a read counts, see `reads.ReadOptions`.
        extend_bp: Length that reads are extended to; None to leave them.
        min_mapq: Least mapping quality of a read in a BAM file.
        normalize: "none", or "cpm" for counts per million reads.
        subtract_control: Subtract each mark's control, scaled to its reads.

    Raises:
        InputError: If an option is unknown or has no use, a file is missing or at fault, or the
            epigenome or a mark is not there.
    """

    name: str = ""
    source: str = "published"
    epigenome: str = ""
    folder: str = ""
    marks: tuple[str, ...] = ()
    bin_bp: int = 100
    flank_bp: int = 5000
    oriented: bool | None = None
    num_genes: int = 3000
    seed: int = 0
    sample_sheet: str = ""
    signal_array: str = ""
    genes: str = ""
    expression: str = ""
    unit: ExpressionUnit = "RPKM"
    tss: TssLevel = "gene"
    biotype: str | None = "protein_coding"
    edges: EndPolicy = "keep"
    genome: str = ""
    position: str = "overlap"
    extend_bp: int | None = None
    min_mapq: int = 0
    normalize: str = "none"
    subtract_control: bool = False

    def __post_init__(self) -> None:
        if self.source == "published":
            own = (name for name in ("sample_sheet", "signal_array") if getattr(self, name))
            self.source = next(own, "published")
        for option, known in _CHOICES.items():
            _check_known(option, getattr(self, option), known)
        self._check_use()
        self._check_files()
        count_bins(flank_bp=self.flank_bp, bin_bp=self.bin_bp)
        if self.source in ("published", *SIGNAL_FILES):
            _check_known("epigenome", self.epigenome, EPIGENOMES)
            self.folder = self.folder or self.epigenome
            self.genome = "hg19"
        if self.source == "sample_sheet":
            self.epigenome = self.samples()[0].epigenome
        self._choose_marks()
        self._choose_name()

    def _check_use(self) -> None:
        of_source = {*_OPTIONS_OF_ALL, *_OPTIONS_OF[self.source]}
        useless = [
            field.name
            for field in _own_fields()
            if field.name not in of_source and getattr(self, field.name) != field.default
        ]
        if useless:
            raise InputError(
                f"Expected options that source={self.source!r} has a use for: "
                f"{', '.join(_OPTIONS_OF[self.source])}. Received: {', '.join(useless)}."
            )

    def _check_files(self) -> None:
        needed = {
            "sample_sheet": ("sample_sheet", "genes", "expression"),
            "signal_array": ("signal_array",),
        }.get(self.source, ())
        if missing := [option for option in needed if not getattr(self, option)]:
            raise InputError(
                f"Expected {', '.join(needed)} of own data. Received: no {', '.join(missing)}."
            )
        for option in _FILE_OPTIONS:
            if (path := getattr(self, option)) and not Path(path).is_file():
                raise InputError(f"Expected a file. Received: {option}={path!r}, no such file.")

    def _choose_marks(self) -> None:
        """Take all marks of the source, or those that are asked for."""
        known = self._known_marks()
        self.marks = tuple(self.marks) or known
        if self.source in ("published", "simulated") and self.marks != known:
            raise InputError(
                f"Expected the marks in the order {', '.join(known)}. "
                f"Received: marks={', '.join(self.marks)}."
            )
        if self.source in ("sample_sheet", "signal_array"):
            for mark in self.marks:
                _check_known("mark", mark, known)
        if len(set(self.marks)) < len(self.marks):
            raise InputError(f"Expected each mark once. Received: marks={', '.join(self.marks)}.")

    def _known_marks(self) -> tuple[str, ...]:
        if self.source == "sample_sheet":
            return tuple(sample.mark for sample in self.samples())
        if self.source == "signal_array":
            return self.array().marks
        return (*MARKS, HELD_OUT_MARK) if self.is_simulated else MARKS

    def _choose_name(self) -> None:
        is_own = self.source not in ("published", "simulated")
        if not self.name:
            # The names of the ready-made configs stay theirs.
            is_taken = is_own and self.epigenome in _READY_MADE_NAMES
            self.name = f"{self.epigenome}_{self.source}" if is_taken else self.epigenome
        if is_own and self.name in _READY_MADE_NAMES:
            raise InputError(
                f"Expected a name that no ready-made dataset has. Received: name={self.name!r}."
            )
        # It becomes a folder, and TFDS reads "remc/NAME:VERSION".
        if not _NAME.fullmatch(self.name):
            raise InputError(
                "Expected a name of the dataset of letters, digits, '_', '-' and '.'. Received: "
                f"name={self.name!r}. Give a name where the epigenome's own will not do."
            )

    @property
    def num_bins(self) -> int:
        """Bins a gene region."""
        return count_bins(flank_bp=self.flank_bp, bin_bp=self.bin_bp)

    @property
    def is_simulated(self) -> bool:
        """Whether signal and expression are simulated."""
        return self.source == "simulated"

    @property
    def is_read(self) -> bool:
        """Whether the signal is read from files of reads or tracks."""
        return self.source in ("sample_sheet", *SIGNAL_FILES)

    def __str__(self) -> str:
        return self.name

    def samples(self) -> list[Sample]:
        """The samples of the epigenome in the sample sheet."""
        sheet = Path(self.sample_sheet)
        return samples_of(read_sample_sheet(sheet), self.epigenome, sheet.name)

    def array(self) -> SignalArray:
        """The array of own signal."""
        return read_signal_array(Path(self.signal_array))

    def options(self) -> dict[str, Any]:
        """The options that decide what is built, but for files, as JSON holds them."""
        of_source = {*_OPTIONS_OF_ALL, *_OPTIONS_OF[self.source]} - {*_FILE_OPTIONS}
        options = {f.name: getattr(self, f.name) for f in _own_fields() if f.name in of_source}
        return options | {"marks": list(self.marks)}

    def provenance(self) -> dict[str, dict[str, Any]]:
        """Name, size and MD5 of the files that options name, by option."""
        paths = {option: Path(getattr(self, option)) for option in _FILE_OPTIONS}
        return {
            option: {"file": path.name, **fingerprint(path)}
            for option, path in paths.items()
            if getattr(self, option)
        }


def _own_fields() -> list[dataclasses.Field[Any]]:
    of_tfds = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
    return [field for field in dataclasses.fields(RemcConfig) if field.name not in of_tfds]


def _check_known(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise InputError(
            f"Expected {what} to be one of {', '.join(filter(None, known))}. "
            f"Received: {what}={name!r}."
        )
