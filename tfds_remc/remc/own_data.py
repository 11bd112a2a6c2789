"""Genes of one's own: signal from files of reads or tracks, or from an array."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .binning import RegionBins
from .published import SPLITS
from .reads import READ_TYPES, BinnedSignal, ReadOptions, read_signal
from .regions import GeneTable, without_version
from .samples import Sample

NORMALIZATIONS = ("none", "cpm")


class OwnDataError(ValueError):
    """Own data that do not fit together."""


@dataclasses.dataclass(frozen=True)
class MarkSignal:
    """One mark's signal as a dataset holds it, and what became of its file.

    Attributes:
        sample: Which file.
        values: (genes, bins) float32 in genome orientation.
        source: What was read of the file.
        control: What was read of the control; None without one.
    """

    sample: Sample
    values: np.ndarray
    source: BinnedSignal
    control: BinnedSignal | None = None

    def warnings(self) -> Iterator[str]:
        """Yields a line on each thing that a user should know about."""
        for path, signal in ((self.sample.path, self.source), (self.sample.control, self.control)):
            if path is not None and signal is not None:
                yield from (
                    f"{self.sample.mark}, {path.name}: {line}" for line in signal.warnings()
                )


def read_mark(
    sample: Sample,
    bins: RegionBins,
    options: ReadOptions,
    *,
    normalize: str = "none",
    subtract_control: bool = False,
) -> MarkSignal:
    """Reads one mark's signal.

    Args:
        sample: Which file, and its control.
        bins: Bins of the gene regions.
        options: How reads are counted.
        normalize: "none", or "cpm": counts per million reads of the file that count.
        subtract_control: Subtract the control's counts, scaled to the reads of the mark's file;
            what would be negative is 0.

    Raises:
        OwnDataError: If reads are asked for and the file has none, or there is no control.
        SignalFileError: See `read_signal`.
    """
    source = read_signal(sample.path, bins, options)
    values, control = source.values, None
    if (normalize == "cpm" or subtract_control) and source.file_type not in READ_TYPES:
        raise OwnDataError(
            f"Expected reads ({' or '.join(READ_TYPES)}) where normalize='cpm' or subtract_control "
            f"is asked for. Received: {sample.path.name}, a {source.file_type} file."
        )
    if subtract_control:
        if sample.control is None:
            raise OwnDataError(
                "Expected a control for every mark where subtract_control is asked for. "
                f"Received: none for {sample.mark} of {sample.epigenome}."
            )
        control = read_signal(sample.control, bins, options)
        scale = _num_counted(source) / _num_counted(control)
        values = np.maximum(values - np.float32(scale) * control.values, 0)
    if normalize == "cpm":
        values = values * np.float32(1e6 / _num_counted(source))
    return MarkSignal(sample, values, source, control)


def _num_counted(signal: BinnedSignal) -> int:
    return signal.num_records - sum(signal.left_out.values())


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


@dataclasses.dataclass(frozen=True)
class SignalArray:
    """Signal that was binned elsewhere.

    Attributes:
        marks: Names of the marks.
        signal: (genes, bins, marks) float32, in genome orientation.
        genes: Where the genes lie.
        rpkm: (genes,) float64, NaN where unknown.
        split: (genes,) str, or None if the file has none.
    """

    marks: tuple[str, ...]
    signal: np.ndarray
    genes: GeneTable
    rpkm: np.ndarray
    split: np.ndarray | None


def read_signal_array(path: Path) -> SignalArray:
    """Reads an `.npz` file of binned signal.

    It holds `marks` (marks,), `signal` or `counts` (genes, marks, bins), `gene_id`, `chrom`, `tss`
    (0-based, the centre of the region), `strand` and `rpkm`, each (genes,), and may hold `symbol`
    and `split` (0 train, 1 valid, 2 test). Nothing in it is unpickled.

    Raises:
        OwnDataError: If the file is no such file, or its arrays do not fit together.
    """
    arrays = _arrays(path)
    name = "signal" if "signal" in arrays else "counts"
    needed = ("marks", name, "gene_id", "chrom", "tss", "strand", "rpkm")
    if missing := [needed_name for needed_name in needed if needed_name not in arrays]:
        raise OwnDataError(
            f"Expected the arrays {', '.join(needed)} in {path.name}. "
            f"Received: {', '.join(arrays) or 'none'}, without {', '.join(missing)}."
        )
    marks, signal = tuple(map(str, arrays["marks"])), arrays[name]
    num_genes = len(arrays["gene_id"])
    if signal.ndim != 3 or signal.shape[:2] != (num_genes, len(marks)):
        raise OwnDataError(
            f"Expected {name} of shape (genes, marks, bins), ({num_genes}, {len(marks)}, ...), in "
            f"{path.name}. Received: {signal.shape}."
        )
    of_genes = {key: arrays[key] for key in (*needed[2:], "symbol", "split") if key in arrays}
    if uneven := {key: len(a) for key, a in of_genes.items() if a.shape != (num_genes,)}:
        raise OwnDataError(
            f"Expected {num_genes} values, one a gene, in each array of {path.name}. "
            f"Received: {uneven}."
        )
    faults = np.argwhere(~(np.isfinite(signal) & (signal >= 0)))
    if len(faults):
        gene, mark, position = faults[0]
        raise OwnDataError(
            f"Expected signal of at least 0 in {path.name}. Received: {signal[tuple(faults[0])]} "
            f"for gene {arrays['gene_id'][gene]}, {marks[mark]}, bin {position}."
        )
    return SignalArray(
        marks=marks,
        signal=np.ascontiguousarray(signal.transpose(0, 2, 1), np.float32),
        genes=GeneTable(
            gene_id=np.array([without_version(str(g)) for g in arrays["gene_id"]]),
            transcript_id=np.full(num_genes, ""),
            symbol=arrays.get("symbol", np.full(num_genes, "")),
            chrom=arrays["chrom"],
            tss=arrays["tss"].astype(np.int64),
            strand=arrays["strand"],
        ),
        rpkm=arrays["rpkm"].astype(np.float64),
        split=np.array(SPLITS)[arrays["split"]] if "split" in arrays else None,
    )


def _arrays(path: Path) -> Mapping[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, AttributeError) as error:
        raise OwnDataError(
            f"Expected an .npz file of arrays. Received: {str(path)!r} ({error})."
        ) from None
