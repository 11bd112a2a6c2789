"""Chromosome names and sizes: "1" and "chr1" are one chromosome, and hg19 is not hg38."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .errors import InputError

GENOMES: dict[str, dict[str, int]] = {
    genome: {
        f"chr{name}": size
        for name, size in zip((*range(1, len(sizes) - 1), "X", "Y"), sizes, strict=True)
    }
    for genome, sizes in {
        "hg19": (
            *(249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663),
            *(146364022, 141213431, 135534747, 135006516, 133851895, 115169878, 107349540),
            *(102531392, 90354753, 81195210, 78077248, 59128983, 63025520, 48129895, 51304566),
            *(155270560, 59373566),
        ),
        "hg38": (
            *(248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973),
            *(145138636, 138394717, 133797422, 135086622, 133275309, 114364328, 107043718),
            *(101991189, 90338345, 83257441, 80373285, 58617616, 64444167, 46709983, 50818468),
            *(156040895, 57227415),
        ),
        "mm10": (
            *(195471971, 182113224, 160039680, 156508116, 151834684, 149736546, 145441459),
            *(129401213, 124595110, 130694993, 122082543, 120129022, 120421639, 124902244),
            *(104043685, 98207768, 94987271, 90702639, 61431566),
            *(171031299, 91744698),
        ),
    }.items()
}
"""Sizes in base pairs of the autosomes, X and Y, by genome (UCSC's GENOME.chrom.sizes).

chrM is left out: files that are called hg19 carry either of two mitochondrial sequences.
"""

_BARE_NAME = re.compile(r"\d{1,2}[LR]?|[IVX]+|[WYZM]|MT")


class ChromosomeError(InputError):
    """Chromosome names or sizes that do not fit."""


def canonical_names(names: Iterable[str], source: str) -> dict[str, str]:
    """Returns each chromosome's name in UCSC's style: "1" is "chr1" and "MT" is "chrM".

    Scaffolds and names of other styles stay as they are.

    Args:
        names: The names that `source` uses.
        source: What the names are from, for the error.

    Raises:
        ChromosomeError: If main chromosomes are named in both styles, so that two names may or may
            not be one chromosome.
    """
    canonical = {}
    bare = prefixed = ""
    for name in names:
        if _BARE_NAME.fullmatch(name):
            canonical[name] = f"chr{'M' if name == 'MT' else name}"
            bare = name
        else:
            canonical[name] = name
            if name.startswith("chr") and _BARE_NAME.fullmatch(name[3:]):
                prefixed = name
    if bare and prefixed:
        raise ChromosomeError(
            f"Expected one style of chromosome names in {source}. Received: {bare!r} and "
            f"{prefixed!r}. Rename the chromosomes to one of the two styles."
        )
    return canonical


def check_genome(sizes: Mapping[str, int], genome: str, source: str) -> None:
    """Refuses a file whose chromosome sizes are not those of a genome.

    Args:
        sizes: Chromosome sizes by canonical name; those that the genome does not list are passed
            over.
        genome: A name of `GENOMES`.
        source: The file, for the error.

    Raises:
        ChromosomeError: If a size differs; the error names the genome that the file looks like.
    """
    expected = GENOMES[genome]
    wrong = [name for name in expected if sizes.get(name, expected[name]) != expected[name]]
    if not wrong:
        return
    like = [
        other
        for other, known in GENOMES.items()
        if all(size == known[name] for name, size in sizes.items() if name in known)
    ]
    name = wrong[0]
    raise ChromosomeError(
        f"Expected the chromosome sizes of {genome} in {source}, {name}={expected[name]}. "
        f"Received: {name}={sizes[name]}, "
        + (f"as in {like[0]}. Use gene regions of {like[0]}" if like else "of no genome known here")
        + f", or alignments to {genome}."
    )
