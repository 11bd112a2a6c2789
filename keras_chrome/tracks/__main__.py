"""`python -m keras_chrome.tracks RUN --methods saliency --out DIR`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.runs.files import checked_directory
from keras_chrome.runs.study import GeneArguments
from keras_chrome.tracks.genome_tracks import DEFAULT_METHODS, TRACK_METHODS, tracks
from keras_chrome.tracks.output import summary, write_tracks


@dataclass(frozen=True, kw_only=True)
class Options(GeneArguments):
    """Options of the command."""

    run: Path = option("run directory", positional=True)
    methods: tuple[str, ...] | None = option(
        f"any of {', '.join(TRACK_METHODS)} (default: those of {', '.join(DEFAULT_METHODS)} that "
        "the model has; of a baseline occlusion)",
        default=None,
        choices=TRACK_METHODS,
        metavar="METHOD",
    )
    marks: tuple[str, ...] | None = option(
        "marks (default: all it reads)", default=None, metavar="MARK"
    )
    top: int = option("top bins of each gene and mark", default=3, metavar="N")
    chrom_sizes: Path | None = option(
        "chromosome names and sizes, as UCSC's hg19.chrom.sizes (default: the dataset's, which has "
        "them where it was built with --genome)",
        default=None,
        metavar="FILE",
    )
    genome: str | None = option(
        "name of the assembly, hg19 (default: the dataset's; a dataset of a signal array or a "
        "sample sheet has none unless it was built with --genome)",
        default=None,
    )
    email: str = option("contact of the hub", default="nobody@example.org")
    out: Path | None = option("folder to write to (default: RUN/tracks-SPLIT)", default=None)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.tracks",
        description="Write the importance of a run's genes, and the signal it reads, for genome "
        "browsers: bigWig, BED of the top bins, a UCSC track hub and an IGV session. A base that "
        "several gene regions cover is given to the gene whose TSS is nearest.",
    )
    if given.out:
        checked_directory(given.out)
    quieten_tensorflow()
    of_genes = tracks(
        given.run,
        methods=given.methods,
        marks=given.marks,
        num_top=given.top,
        chrom_sizes=given.chrom_sizes,
        genome=given.genome,
        **given.gene_options(),
    )
    directory = given.out or given.run / f"tracks-{given.split or 'test'}"
    written = write_tracks(of_genes, directory, email=given.email)
    print(summary(of_genes))
    num_bigwig = sum(path.suffix == ".bw" for path in written)
    print(f"{num_bigwig} bigWig files, {len(written) - num_bigwig} others")
    print(directory, directory / "hub.txt", directory / "igv_session.xml", sep="\n")
    for warning in of_genes.warnings:
        print(f"warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main, InputError)
