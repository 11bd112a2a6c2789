"""Genes of one's own, or of Roadmap from source: gene regions, filled from reads or tracks."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from .binning import RegionBins
from .chromosomes import agreed_sizes, canonical_names
from .errors import InputError
from .file_types import READ_TYPES, SignalFile
from .gene_table import GeneTable
from .published import SPLITS
from .reads import BinnedSignal, ReadOptions, header_sizes, read_signal
from .regions import EndPolicy, check_chromosome_ends
from .samples import Sample

Normalization = Literal["none", "cpm"]
"""What signal is divided by: nothing, or the millions of reads that count."""

FileReader = Callable[
    [Sequence[SignalFile], RegionBins, ReadOptions | None], Iterable[BinnedSignal]
]
"""Reads several files as `read_signal` does each; `beam.read_signals` is one."""


class OwnDataError(InputError):
    """Own data that do not fit together."""


@dataclasses.dataclass(frozen=True)
class GeneRegions:
    """Genes whose regions are to be filled with signal.

    Attributes:
        genes: The genes, on chromosomes that are named in UCSC's style.
        bins: The bins of their regions.
        is_beyond: (genes, bins) bool, bins that lie beyond an end of their chromosome.
        chromosome_sizes: Length of each gene's chromosome, as far as it is known.
        warnings: A line on each thing that a user should know about.
    """

    genes: GeneTable
    bins: RegionBins
    is_beyond: np.ndarray
    chromosome_sizes: Mapping[str, int]
    warnings: tuple[str, ...]


def lay_regions(
    genes: GeneTable,
    *,
    flank_bp: int,
    bin_bp: int,
    edges: EndPolicy = "keep",
    genome: str = "",
    files: Sequence[SignalFile] = (),
) -> GeneRegions:
    """Lays a region around each TSS.

    Args:
        genes: The genes; those that are dropped join `left_out`.
        flank_bp: Half the width of a region.
        bin_bp: Width of a bin.
        edges: "keep" or "drop" the regions that reach over an end of their chromosome.
        genome: A name of `GENOMES`, which tells the far ends of chromosomes; "" if unknown.
        files: Files whose headers tell them too.

    Raises:
        GeneTableError: If the genes are of another genome.
        ChromosomeError: If their chromosomes are named in two styles, or if the files and the
            genome contradict each other about the size of one.
        OwnDataError: If all regions are dropped.
        SignalFileError: If a file with a header is damaged.
    """
    names = canonical_names(np.unique(genes.chrom).tolist(), "the gene table")
    genes = dataclasses.replace(genes, chrom=np.array([names[c] for c in genes.chrom.tolist()]))
    headers = ((file.path, header_sizes(file)) for file in files)
    sizes = agreed_sizes(headers, set(names.values()), genome)
    ends = check_chromosome_ends(genes, sizes, flank_bp=flank_bp, bin_bp=bin_bp, edges=edges)
    warnings = []
    if num_kept := ends.num_over - ends.num_dropped:
        warnings.append(
            f"{num_kept:,} gene regions reach over an end of their chromosome; the feature "
            "beyond_end marks those bins"
        )
    if genome and (without_size := ends.num_genes_without_size):
        warnings.append(
            f"{sum(without_size.values()):,} genes lie on chromosomes whose size in {genome} is "
            f"not known here: {', '.join(without_size)}"
        )
    if not ends.is_kept.any():
        raise OwnDataError(
            f"Expected regions that lie on their chromosomes, since edges='drop' is asked for. "
            f"Received: {ends.num_dropped} gene regions of 2 x {flank_bp} bp, all over an end. "
            "Give a smaller flank_bp."
        )
    if ends.num_dropped:
        over = {"regions over an end of their chromosome": ends.num_dropped}
        genes = dataclasses.replace(genes, left_out={**genes.left_out, **over})
    genes = genes.select(ends.is_kept)
    bins = RegionBins(genes.chrom, genes.tss - flank_bp, ends.is_beyond.shape[1], bin_bp)
    known = {name: sizes[name].num_bp for name in np.unique(genes.chrom).tolist() if name in sizes}
    return GeneRegions(genes, bins, ends.is_beyond, known, tuple(warnings))


@dataclasses.dataclass(frozen=True)
class MarkSignal:
    """One mark's signal as a dataset holds it, and what became of its files.

    Attributes:
        sample: Which files.
        values: (genes, bins) float32 in genome orientation.
        source: What was read of the mark's file.
        control: What was read of the control; None where it is not subtracted.
    """

    sample: Sample
    values: np.ndarray
    source: BinnedSignal
    control: BinnedSignal | None = None

    def warnings(self) -> Iterator[str]:
        """Yields a line on each thing that a user should know about."""
        yield from (f"{self.sample.path.name}: {line}" for line in self.source.warnings())
        if self.control and self.sample.control:
            yield from (f"{self.sample.control.name}: {line}" for line in self.control.warnings())


def read_marks(
    samples: Sequence[Sample],
    bins: RegionBins,
    options: ReadOptions | None = None,
    *,
    normalize: Normalization = "none",
    subtract_control: bool = False,
    read_files: FileReader | None = None,
) -> Iterator[MarkSignal]:
    """Reads the signal of one mark after the other. A control of several marks is read once.

    Args:
        samples: Which files.
        bins: Bins of the gene regions.
        options: How reads are counted.
        normalize: See `mark_signal`.
        subtract_control: Whether to subtract each mark's control.
        read_files: Reads all files at once; None to read one after the other.

    Raises:
        OwnDataError: Before any file is read: if an option asks for reads of a file that has none,
            or for a control where there is none.
        SignalFileError: See `read_signal`.
    """
    for sample in samples:
        _check_sample(sample, normalize=normalize, subtract_control=subtract_control)
    read: Callable[[SignalFile], BinnedSignal]
    read = functools.partial(_read_file, bins=bins, options=options or ReadOptions())
    if read_files is not None:
        controls_of = samples if subtract_control else ()
        files = dict.fromkeys(
            [s.file for s in samples] + [s.control_file for s in controls_of if s.control_file]
        )
        read = dict(zip(files, read_files([*files], bins, options), strict=True)).__getitem__
    controls: dict[SignalFile, BinnedSignal] = {}
    for sample in samples:
        source, control = read(sample.file), None
        if subtract_control and sample.control_file:
            if sample.control_file not in controls:
                controls[sample.control_file] = read(sample.control_file)
            control = controls[sample.control_file]
        yield mark_signal(sample, source, control, normalize=normalize)


def _read_file(file: SignalFile, bins: RegionBins, options: ReadOptions) -> BinnedSignal:
    return read_signal(file.path, bins, dataclasses.replace(options, file_type=file.file_type))


def mark_signal(
    sample: Sample,
    source: BinnedSignal,
    control: BinnedSignal | None,
    *,
    normalize: Normalization = "none",
) -> MarkSignal:
    """Turns what was read of a mark into the signal that a dataset holds.

    A control is scaled to the mark's file by the number of reads that count in either, on gene
    regions or not, and subtracted; what would be negative is 0.

    Args:
        sample: Which files.
        source: What was read of the mark's file.
        control: What was read of the control, to be subtracted; None to subtract nothing.
        normalize: "none", or "cpm": counts per million reads of the mark's file that count.

    Raises:
        OwnDataError: If a number of reads is asked for that is 0, since all of them are left out.
    """
    values = source.values
    if sample.control is not None and control is not None:
        scale = _num_counted(source, sample.path) / _num_counted(control, sample.control)
        values = np.maximum(values - np.float32(scale) * control.values, 0)
    if normalize == "cpm":
        values = values * np.float32(1e6 / _num_counted(source, sample.path))
    return MarkSignal(sample, values, source, control)


def split_by_gene(gene_ids: Sequence[str], seed: int = 0) -> np.ndarray:
    """Assigns each gene to one of three splits of about equal size, by a hash of its id.

    A gene is then in the same split of every epigenome and with every TSS: a model tested on
    another epigenome meets no gene that it was trained on.

    Args:
        gene_ids: Gene ids; an id that stands twice gets one split.
        seed: Another seed gives other splits.

    Returns:
        (genes,) str: "train", "valid" or "test".
    """
    digests = (hashlib.sha256(f"{seed}:{gene_id}".encode()).digest() for gene_id in gene_ids)
    return np.array([SPLITS[int.from_bytes(digest[:8], "big") % len(SPLITS)] for digest in digests])


def _check_sample(sample: Sample, *, normalize: Normalization, subtract_control: bool) -> None:
    where = f"{sample.mark} of {sample.epigenome}"
    if subtract_control and sample.control is None:
        raise OwnDataError(
            f"Expected a control for every mark where subtract_control is asked for. "
            f"Received: none for {where}."
        )
    counted = [sample.file] if subtract_control or normalize == "cpm" else []
    if subtract_control and sample.control_file is not None:
        counted.append(sample.control_file)
    for file in counted:
        if file.type() not in READ_TYPES:
            raise OwnDataError(
                f"Expected reads ({' or '.join(READ_TYPES)}) for {where}, since normalize='cpm' or "
                f"subtract_control is asked for. Received: {file.path.name}, a {file.type()} file."
            )


def _num_counted(signal: BinnedSignal, path: Path) -> int:
    num_counted = signal.num_records - sum(signal.left_out.values())
    if num_counted == 0:
        raise OwnDataError(
            f"Expected reads that count in {path.name}. "
            f"Received: {signal.num_records:,} reads, all left out."
        )
    return num_counted
