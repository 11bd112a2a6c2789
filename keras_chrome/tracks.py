"""Write importance and signal as tracks for genome browsers.

As a command: `python -m keras_chrome.tracks RUN --methods saliency --out DIR`, which writes bigWig
and BED files, a UCSC track hub and an IGV session.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS, compute_importance, methods_of
from keras_chrome.study import Study, add_study_options, open_study, study_options

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_chrome.genome_layout import GenomeLayout
    from keras_chrome.track_group import TrackGroup

DEFAULT_METHODS = ("alpha", "saliency", "occlusion")
SIGNAL = "signal"
_TRACK_METHODS = [name for name, method in METHODS.items() if method.resolves_bins]
_SIMULATED = "simulated"


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
        top_bins: By method, a table of `keras_chrome.top_bins.top_bins`.
        num_genes: How many genes they are of.
        left_out: How many genes were left out, by reason.
    """

    name: str
    model_name: str
    label: str
    genome: str
    chrom_sizes: Mapping[str, int]
    marks: tuple[str, ...]
    layout: "GenomeLayout"
    values: "Mapping[str, np.ndarray]"
    top_bins: "Mapping[str, pd.DataFrame]"
    num_genes: int
    left_out: Mapping[str, int]


def tracks(
    run_dir: str | Path,
    *,
    methods: Sequence[str] | None = None,
    marks: Sequence[str] | None = None,
    num_top: int = 3,
    chrom_sizes: str | Path | None = None,
    genome: str | None = None,
    split: str | None = None,
    dataset: str | None = None,
    data_dir: str | None = None,
    labels: str | None = None,
) -> Tracks:
    """Compute the importance of every bin of genes and lay it along the genome.

    Args:
        run_dir: A run directory.
        methods: Names in `keras_chrome.importance.METHODS` that resolve bins; those of
            `DEFAULT_METHODS` that the model has if None.
        marks: Some of the run's marks; all if None.
        num_top: How many top bins to keep of a gene and mark.
        chrom_sizes: A file of chromosome sizes; those in the dataset's metadata if None.
        genome: Name of the assembly; the dataset's if None.
        split: `train`, `valid`, `test` or `all`; `test` if None.
        dataset: A built dataset; the run's own if None. It must have the run's bins.
        data_dir: Where datasets were built; where the run found its own if None.
        labels: Label rule; the run's own if None. Genes without such a label are left out.

    Returns:
        The tracks; see `GenomeLayout` for what becomes of overlapping gene regions.

    Raises:
        InputError: If the run or the dataset is missing, they do not fit each other, the model
            lacks what a method needs, or it is unknown where the genes are: no gene has
            coordinates, or there are no chromosome sizes or no name of the genome.

    Example:
        >>> write_tracks(tracks("runs/E012", methods=["saliency"]), "tracks")
    """
    from keras_chrome.genome_layout import bin_bounds, lay_out, placeable
    from keras_chrome.orientation import along_genome
    from keras_chrome.top_bins import top_bins

    if num_top < 1:
        raise InputError(f"Expected at least one top bin of a gene. Received: num_top={num_top}")
    study = open_study(run_dir, split=split, dataset=dataset, data_dir=data_dir, labels=labels)
    marks = tuple(study.run.marks if marks is None else dict.fromkeys(marks))
    names = _chosen_methods(study, methods)
    columns = _mark_columns(study, marks)
    sizes = _chrom_sizes(study, chrom_sizes)
    genome = _genome(study, genome)

    genes = study.genes
    is_placed, left_out = placeable(genes, sizes)
    left_out[f"without {study.labels} label"] = genes.num_unlabelled
    genes = genes.subset(genes.split, is_placed)
    sizes = {chrom: sizes[chrom] for chrom in sorted(set(genes.chrom.tolist()))}
    bins = {"num_bins": study.dataset.num_bins, "bin_bp": study.dataset.bin_bp}
    layout = lay_out(genes.chrom, genes.tss, sizes, **bins)
    start, end = bin_bounds(genes.chrom, genes.tss, sizes, **bins)

    values = {SIGNAL: layout.values(along_genome(genes.signal, genes)[..., columns])}
    of_methods = {}
    background = study.background()
    for name in names:
        importance = compute_importance(name, study.model, genes.signal, background=background)
        importance = along_genome(importance, genes)[..., columns]
        values[name] = layout.values(importance)
        of_methods[name] = top_bins(importance, genes, marks, start, end, num_top=num_top)
    return Tracks(
        name=study.dataset.name.split("/")[-1],
        model_name=study.run.model_name,
        label=f"{study.dataset.name}, {genes.split} genes",
        genome=genome,
        chrom_sizes=sizes,
        marks=marks,
        layout=layout,
        values=values,
        top_bins=of_methods,
        num_genes=len(genes),
        left_out=left_out,
    )


def write_tracks(
    of_genes: Tracks, directory: str | Path, *, email: str = "nobody@example.org"
) -> list[Path]:
    """Write tracks, each file atomically, the hub and the session last.

    `METHOD.MARK.bw` and `signal.MARK.bw`; `METHOD.top_bins.bed` and `.bb`; `hub.txt`,
    `genomes.txt` and `trackDb.txt`; `igv_session.xml`; `GENOME.chrom.sizes`. All paths in them are
    relative: the folder may be moved, and put on a web server for UCSC's browser to read.

    Args:
        of_genes: From `tracks`.
        directory: Folder to write to.
        email: Whom the hub names as its contact.

    Returns:
        The files.
    """
    from keras_chrome.igv_session import igv_session_text
    from keras_chrome.run_directory import atomic_path
    from keras_chrome.track_files import (
        write_bed,
        write_bigbed,
        write_bigwig,
        write_chrom_sizes,
    )
    from keras_chrome.track_hub import genomes_text, hub_text, track_db_text

    directory = Path(directory)
    groups = _track_groups(of_genes)
    layout, sizes = of_genes.layout, of_genes.chrom_sizes
    sizes_file = f"{of_genes.genome}.chrom.sizes"
    written = [directory / sizes_file]
    write_chrom_sizes(written[0], sizes)
    for group in groups:
        for column, track in enumerate(group.tracks):
            written.append(directory / track.file)
            write_bigwig(written[-1], layout, of_genes.values[group.name][:, column], sizes)
        if group.top_bins:
            bins = of_genes.top_bins[group.name]
            written += [directory / f"{group.top_bins}{suffix}" for suffix in (".bed", ".bb")]
            write_bed(written[-2], bins)
            write_bigbed(written[-1], bins, sizes)
    # No browser knows the simulated genome by name.
    igv_genome = sizes_file if of_genes.genome == _SIMULATED else of_genes.genome
    locus = f"{layout.chrom[0]}:{layout.start[0] + 1}-{layout.end[layout.site == 0].max()}"
    texts = {
        "trackDb.txt": track_db_text(groups),
        "genomes.txt": genomes_text(of_genes.genome),
        "hub.txt": hub_text(_safe(of_genes.name), _title(of_genes), email),
        "igv_session.xml": igv_session_text(igv_genome, locus, groups),
    }
    for name, text in texts.items():
        written.append(directory / name)
        with atomic_path(written[-1]) as temporary:
            temporary.write_text(text)
    return written


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.tracks",
        description="Write the importance of a run's genes, and the signal it reads, for genome "
        "browsers: bigWig, BED of the top bins, a UCSC track hub and an IGV session. A base that "
        "several gene regions cover is given to the gene whose TSS is nearest.",
    )
    parser.add_argument("run", help="run directory")
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=_TRACK_METHODS,
        metavar="METHOD",
        help=f"any of {', '.join(_TRACK_METHODS)} (default: those of "
        f"{', '.join(DEFAULT_METHODS)} that the model has)",
    )
    parser.add_argument("--marks", nargs="+", metavar="MARK", help="marks (default: all it reads)")
    parser.add_argument(
        "--top",
        type=int,
        default=3,
        metavar="N",
        help="top bins of each gene and mark (default: %(default)s)",
    )
    add_study_options(parser)
    parser.add_argument(
        "--chrom-sizes",
        metavar="FILE",
        help="chromosome names and sizes, as UCSC's hg19.chrom.sizes (default: the dataset's)",
    )
    parser.add_argument("--genome", help="name of the assembly, hg19 (default: the dataset's)")
    parser.add_argument(
        "--email", default="nobody@example.org", help="contact of the hub (default: %(default)s)"
    )
    parser.add_argument("--out", help="folder to write to (default: RUN/tracks-SPLIT)")
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    of_genes = tracks(
        given.run,
        methods=given.methods,
        marks=given.marks,
        num_top=given.top,
        chrom_sizes=given.chrom_sizes,
        genome=given.genome,
        **study_options(given),
    )
    directory = Path(given.out or Path(given.run) / f"tracks-{given.split or 'test'}")
    written = write_tracks(of_genes, directory, email=given.email)
    _print_summary(of_genes, written)
    print(directory)


def _print_summary(of_genes: Tracks, written: Sequence[Path]) -> None:
    layout = of_genes.layout
    num_sites = int(layout.site_of_gene.max()) + 1
    print(
        f"{_title(of_genes)}: {of_genes.num_genes:,} genes at {num_sites:,} TSSs of "
        f"{of_genes.genome}"
    )
    for reason, num_genes in of_genes.left_out.items():
        if num_genes:
            print(f"genes left out: {num_genes:,} {reason}")
    print(
        f"{len(layout):,} bins written of each mark, {layout.num_cut:,} of them cut; "
        f"{layout.num_hidden:,} left out that nearer genes cover or that lie beyond a "
        "chromosome's ends"
    )
    for method, bins in of_genes.top_bins.items():
        print(f"{method}: {len(bins):,} top bins")
    num_bigwig = sum(path.suffix == ".bw" for path in written)
    print(f"{num_bigwig} bigWig files, {len(written) - num_bigwig} others")


def _chosen_methods(study: Study, methods: Sequence[str] | None) -> list[str]:
    if methods is None:
        has = methods_of(study.model, resolves_bins=True)
        return [name for name in DEFAULT_METHODS if name in has]
    if unknown := [name for name in methods if name not in _TRACK_METHODS]:
        raise InputError(
            f"Expected methods that tell bins apart: {', '.join(_TRACK_METHODS)}. Received: "
            f"methods={', '.join(unknown)}"
        )
    return list(dict.fromkeys(methods))


def _mark_columns(study: Study, marks: Sequence[str]) -> list[int]:
    if unknown := [mark for mark in marks if mark not in study.run.marks]:
        raise InputError(
            f"Expected marks that the model reads: {', '.join(study.run.marks)}. Received: "
            f"marks={', '.join(unknown)}"
        )
    if len({_safe(mark) for mark in marks}) < len(marks):
        raise InputError(
            "Expected marks whose names differ in letters and digits. Received: "
            f"marks={', '.join(marks)}; write them one at a time with --marks"
        )
    return [study.run.marks.index(mark) for mark in marks]


def _chrom_sizes(study: Study, path: str | Path | None) -> dict[str, int]:
    from keras_chrome.track_files import read_chrom_sizes

    if path is not None:
        return read_chrom_sizes(path)
    if sizes := study.dataset.metadata.get("chromosome_sizes"):
        return dict(sizes)
    raise InputError(
        f"Expected chromosome sizes in the metadata of {study.dataset.name}. Received: none; name "
        "a file of chromosome names and sizes with --chrom-sizes"
    )


def _genome(study: Study, genome: str | None) -> str:
    genome = genome or study.dataset.metadata.get("genome", "unknown")
    if not re.fullmatch(r"[\w.-]+", genome) or genome == "unknown":
        raise InputError(
            f"Expected the name of an assembly, such as hg19. Received: genome={genome!r}; name it "
            "with --genome"
        )
    return genome


def _track_groups(of_genes: Tracks) -> "list[TrackGroup]":
    from keras_chrome.track_group import Track, TrackGroup

    groups = []
    for name, values in of_genes.values.items():
        is_method = name in of_genes.top_bins
        label = (
            f"{name.replace('_', ' ')}, {_title(of_genes)}"
            if is_method
            else f"measured signal, {of_genes.label}"
        )
        files = tuple(
            Track(
                name=f"{name}_{_safe(mark)}",
                mark=mark,
                file=f"{name}.{_safe(mark)}.bw",
                lowest=float(of_mark.min()),
                highest=float(of_mark.max()),
            )
            for mark, of_mark in zip(of_genes.marks, values.T, strict=True)
        )
        has_top_bins = is_method and len(of_genes.top_bins[name]) > 0
        groups.append(
            TrackGroup(
                name=name,
                label=label,
                tracks=files,
                is_comparable=is_method,
                is_signed=is_method and METHODS[name].is_signed,
                top_bins=f"{name}.top_bins" if has_top_bins else "",
            )
        )
    return groups


def _title(of_genes: Tracks) -> str:
    return f"{of_genes.model_name} on {of_genes.label}"


def _safe(name: str) -> str:
    """A name of letters, digits, underscores and dashes, for files and tracks."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


if __name__ == "__main__":
    run_command(main)
