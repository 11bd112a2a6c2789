"""Write importance and signal as tracks for genome browsers.

As a command: `python -m keras_chrome.tracks RUN --methods saliency --out DIR`, which writes bigWig
and BED files, a UCSC track hub and an IGV session.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from keras_chrome.data.orientation import along_genome
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS, compute_importance, methods_of
from keras_chrome.runs import Study, open_study
from keras_chrome.tables import format_duration
from keras_chrome.tracks.group import safe_name
from keras_chrome.tracks.layout import bin_bounds, lay_out, placeable

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.runs.study import GeneOptions
    from keras_chrome.tracks.layout import GenomeLayout

DEFAULT_METHODS = ("alpha", "saliency")
SIGNAL = "signal"
TRACK_METHODS = tuple(name for name, method in METHODS.items() if method.resolves_bins)


@dataclass(frozen=True)
class Tracks:
    """Importance and measured signal along the genome.

    Attributes:
        name: Of the dataset, `E012`.
        model_name: Of the variant or baseline.
        label: What genes they are of, in words.
        genome: Name of the assembly.
        chrom_sizes: Sizes in bp of the chromosomes that have genes.
        marks: Names of the marks.
        layout: Where the values lie.
        values: float32 `(pieces, marks)` by method, after `signal`, the signal as measured.
        top_bins: By method, a table of `keras_chrome.tracks.top_bins.top_bins`.
        num_genes: How many genes they are of.
        left_out: How many genes were left out, by reason.
        warnings: A line on each thing that a user should know.
    """

    name: str
    model_name: str
    label: str
    genome: str
    chrom_sizes: Mapping[str, int]
    marks: tuple[str, ...]
    layout: GenomeLayout
    values: Mapping[str, np.ndarray]
    top_bins: Mapping[str, pd.DataFrame]
    num_genes: int
    left_out: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def tracks(
    run_dir: str | Path,
    *,
    methods: Sequence[str] | None = None,
    marks: Sequence[str] | None = None,
    num_top: int = 3,
    chrom_sizes: str | Path | None = None,
    genome: str | None = None,
    **genes: Unpack[GeneOptions],
) -> Tracks:
    """Compute the importance of every bin of genes and lay it along the genome.

    It prints how long that may take, and each method as it ends.

    Args:
        run_dir: A run directory.
        methods: Names in `keras_chrome.importance.METHODS` that resolve bins; those of
            `DEFAULT_METHODS` that the model has if None, or `occlusion` if it has neither.
        marks: Some of the run's marks, in any spelling of `as_spelled`; all if None.
        num_top: How many top bins to keep of a gene and mark.
        chrom_sizes: A file of chromosome sizes; those in the dataset's metadata if None.
        genome: Name of the assembly; the dataset's if None. A dataset of a signal array knows
            neither this nor the sizes unless it was built with its genome.
        **genes: Which genes: `split`, `dataset`, `data_dir`, `labels`, see `GeneOptions`.

    Returns:
        The tracks; see `GenomeLayout` for what becomes of overlapping gene regions.

    Raises:
        InputError: If the run or the dataset is missing, they do not fit each other, the model
            lacks what a method needs, or it is unknown where the genes are: no gene has
            coordinates, or there are no chromosome sizes or no name of the genome.

    Example:
        >>> write_tracks(tracks("runs/E012", methods=["saliency"]), "tracks")
    """
    from keras_chrome.tracks.top_bins import top_bins

    if num_top < 1:
        raise InputError(f"Expected at least one top bin of a gene. Received: num_top={num_top}")
    study = open_study(run_dir, **genes)
    from keras_chrome.importance.duration import estimate

    marks = study.run.marks if marks is None else tuple(map(study.run.find_mark, marks))
    marks = tuple(dict.fromkeys(marks))
    names = _chosen_methods(study, methods)
    columns = _mark_columns(study, marks)
    sizes = _chrom_sizes(study, chrom_sizes)
    genome = _genome(study, genome)

    is_placed, left_out = placeable(study.genes, sizes)
    left_out[f"without {study.labels} label"] = study.genes.num_unlabelled
    placed = study.genes.subset(study.genes.split, is_placed)
    sizes = {chrom: sizes[chrom] for chrom in sorted(set(placed.chrom.tolist()))}
    bins = {"num_bins": study.dataset.num_bins, "bin_bp": study.dataset.bin_bp}
    layout = lay_out(placed.chrom, placed.tss, sizes, **bins)
    start, end = bin_bounds(placed.chrom, placed.tss, sizes, **bins)

    values = {SIGNAL: layout.values(along_genome(placed.signal, placed)[..., columns])}
    of_methods = {}
    background = study.background()
    print(estimate(names, study.model, placed.signal), flush=True)
    for name in names:
        started = time.perf_counter()
        importance = compute_importance(name, study.model, placed.signal, background=background)
        importance = along_genome(importance, placed)[..., columns]
        values[name] = layout.values(importance)
        of_methods[name] = top_bins(importance, placed, marks, start, end, num_top=num_top)
        print(f"{name}: {format_duration(time.perf_counter() - started)}", flush=True)
    return Tracks(
        name=study.dataset.epigenome,
        model_name=study.run.model_name,
        label=f"{study.dataset.name}, {placed.split} genes",
        genome=genome,
        chrom_sizes=sizes,
        marks=marks,
        layout=layout,
        values=values,
        top_bins=of_methods,
        num_genes=len(placed),
        left_out=left_out,
        warnings=tuple(_coordinate_warnings(study)),
    )


def _coordinate_warnings(study: Study) -> Iterator[str]:
    """Yields a line if the dataset says that its coordinates were measured and do not hold."""
    agreement = study.dataset.metadata.get("overlap_agreement") or {}
    if agreement.get("holds") is False:
        yield (
            f"the coordinates of {study.dataset.name} do not hold: only "
            f"{100 * agreement['share_agreeing']:.1f} % of {agreement['num_pairs']:,} pairs of "
            "overlapping gene regions agree on where they overlap. A value may lie beside its "
            "place on the genome"
        )


def _chosen_methods(study: Study, methods: Sequence[str] | None) -> list[str]:
    if methods is None:
        has = methods_of(study.model, resolves_bins=True)
        return [name for name in DEFAULT_METHODS if name in has] or ["occlusion"]
    if unknown := [name for name in methods if name not in TRACK_METHODS]:
        raise InputError(
            f"Expected methods that tell bins apart: {', '.join(TRACK_METHODS)}. Received: "
            f"methods={', '.join(unknown)}"
        )
    return list(dict.fromkeys(methods))


def _mark_columns(study: Study, marks: Sequence[str]) -> list[int]:
    columns = [study.mark(mark) for mark in marks]
    if len({safe_name(mark) for mark in marks}) < len(marks):
        raise InputError(
            "Expected marks whose names differ in letters and digits. Received: "
            f"marks={', '.join(marks)}; write them one at a time with --marks"
        )
    return columns


def _chrom_sizes(study: Study, path: str | Path | None) -> dict[str, int]:
    from keras_chrome.tracks.files import read_chrom_sizes

    if path is not None:
        return read_chrom_sizes(path)
    if sizes := study.dataset.metadata.get("chromosome_sizes"):
        return dict(sizes)
    raise InputError(
        f"Expected chromosome sizes in the metadata of {study.dataset.name}. Received: none; name "
        "a file of chromosome names and sizes with --chrom-sizes, and the assembly with --genome; "
        "or build the dataset again with python -m tfds_remc ... --genome hg19, which knows both"
    )


def _genome(study: Study, genome: str | None) -> str:
    genome = genome or study.dataset.metadata.get("genome", "unknown")
    if not re.fullmatch(r"[\w.-]+", genome) or genome == "unknown":
        raise InputError(
            f"Expected the name of an assembly, such as hg19. Received: genome={genome!r}; name it "
            "with --genome here, or where the dataset is built"
        )
    return genome
