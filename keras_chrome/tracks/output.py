"""Tracks in words and files: bigWig, BED, a UCSC hub, an IGV session."""

from __future__ import annotations

from pathlib import Path

from keras_chrome.importance import METHODS
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import wrapped
from keras_chrome.tracks.genome_tracks import Tracks
from keras_chrome.tracks.group import Track, TrackGroup, safe_name

_SIMULATED = "simulated"


def summary(of_genes: Tracks) -> str:
    """What the tracks are of, what was left out, and how many top bins there are."""
    layout = of_genes.layout
    num_sites = int(layout.site_of_gene.max()) + 1
    return "\n".join(
        wrapped(line)
        for line in [
            f"{_title(of_genes)}: {of_genes.num_genes:,} genes at {num_sites:,} TSSs of "
            f"{of_genes.genome}",
            *(f"genes left out: {n:,} {reason}" for reason, n in of_genes.left_out.items() if n),
            f"{len(layout):,} bins written of each mark, {layout.num_cut:,} of them cut; "
            f"{layout.num_hidden:,} left out that nearer genes cover or that lie beyond a "
            "chromosome's ends",
            *(f"{method}: {len(bins):,} top bins" for method, bins in of_genes.top_bins.items()),
        ]
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
    from keras_chrome.tracks.files import write_bed, write_bigbed, write_bigwig, write_chrom_sizes
    from keras_chrome.tracks.hub import genomes_text, hub_text, track_db_text
    from keras_chrome.tracks.igv_session import igv_session_text

    directory = Path(directory).expanduser()
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
        "hub.txt": hub_text(safe_name(of_genes.name), _title(of_genes), email),
        "igv_session.xml": igv_session_text(igv_genome, locus, groups),
    }
    return written + write_outputs(directory, texts=texts)


def _track_groups(of_genes: Tracks) -> list[TrackGroup]:
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
                name=f"{name}_{safe_name(mark)}",
                mark=mark,
                file=f"{name}.{safe_name(mark)}.bw",
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
    """What the tracks are of, in words."""
    return f"{of_genes.model_name} on {of_genes.label}"
