"""`python -m keras_chrome.tracks RUN --methods saliency --out DIR`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.runs.study import add_study_options, study_options
from keras_chrome.tracks.genome_tracks import _TRACK_METHODS, DEFAULT_METHODS, Tracks, tracks
from keras_chrome.tracks.output import title, write_tracks


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
        f"{title(of_genes)}: {of_genes.num_genes:,} genes at {num_sites:,} TSSs of "
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


if __name__ == "__main__":
    run_command(main)
