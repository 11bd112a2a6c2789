"""Chromosome names and sizes: "1" and "chr1" are one chromosome, and hg19 is not hg38."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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

_BARE_NAME = re.compile(r"\d{1,2}[LR]?|[IVX]+|[WYZ]")
_MITOCHONDRIAL = "chrM"
_MITOCHONDRIAL_NAMES = ("M", "MT", "CHRM", "CHRMT")


class ChromosomeError(InputError):
    """Chromosome names or sizes that do not fit."""


class ChromosomeSize(NamedTuple):
    """How long a chromosome is.

    Attributes:
        num_bp: Its length.
        source: Who says so: a file, or a genome.
    """

    num_bp: int
    source: str


def canonical_name(name: str) -> str:
    """Returns a chromosome's name in UCSC's style: "1" is "chr1", "MT" and "chrMT" are "chrM".

    Scaffolds and names of other styles stay as they are.
    """
    if name.upper() in _MITOCHONDRIAL_NAMES:
        return _MITOCHONDRIAL
    return f"chr{name}" if _BARE_NAME.fullmatch(name) else name


def canonical_names(
    names: Iterable[str],
    source: str,
    wanted: Collection[str] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """Returns the `canonical_name` of each chromosome, "" for one of another genome.

    The style of a file, "1" or "chr1", is that of its names for the chromosomes that are wanted. A
    name of the other style is then of another genome, such as a spike-in. Where both styles name
    wanted chromosomes, headers may tell the genomes apart: no chromosome has the same size in
    both, and the one that names more of the wanted chromosomes is theirs.

    Args:
        names: The names that `source` uses.
        source: What the names are from, for the error.
        wanted: Canonical names of the chromosomes that matter, those of gene regions; None for all.
        sizes: Length of each of `names`, where that is known.

    Raises:
        ChromosomeError: If a wanted chromosome may be either of two names, or if wanted ones are
            named in both styles.
    """
    canonical = {name: canonical_name(name) for name in names}
    matters = [name for name in canonical if wanted is None or canonical[name] in wanted]
    # By style, whether it is "chr1": the name of each chromosome.
    name_of: dict[bool, dict[str, str]] = {
        is_prefixed: {
            canonical[name]: name for name in matters if _is_prefixed(name) is is_prefixed
        }
        for is_prefixed in (False, True)
    }
    style: bool | None = None
    if all(name_of.values()):
        style = _larger_genome(name_of, sizes or {})
        if style is None:
            bare, prefixed = name_of[False], name_of[True]
            twice = [[bare[name], prefixed[name]] for name in bare if name in prefixed]
            apart = [next(iter(bare.values())), next(iter(prefixed.values()))]
            raise _two_styles(twice[0] if twice else apart, source)
    elif any(name_of.values()):
        style = bool(name_of[True])
    if style is not None:
        canonical |= {name: "" for name in canonical if _is_prefixed(name) is (not style)}
    mitochondrial = [name for name in matters if canonical[name] == _MITOCHONDRIAL]
    if len(mitochondrial) > 1:
        own = [name for name in mitochondrial if name.lower().startswith("chr") is style]
        if len(own) != 1:
            raise _two_styles(mitochondrial, source)
        canonical |= {name: "" for name in mitochondrial if name not in own}
    return canonical


def _is_prefixed(name: str) -> bool | None:
    """Whether a name is in UCSC's style; None if it has no style, or is mitochondrial."""
    if _BARE_NAME.fullmatch(name):
        return False
    return True if name.startswith("chr") and _BARE_NAME.fullmatch(name[3:]) else None


def _larger_genome(
    name_of: Mapping[bool, Mapping[str, str]], sizes: Mapping[str, int]
) -> bool | None:
    """The style that names more of the chromosomes, if those of both are surely different ones."""
    bare, prefixed = name_of[False], name_of[True]
    shared = bare.keys() & prefixed.keys()
    is_known = shared and all(name in sizes for of in (bare, prefixed) for name in of.values())
    if not is_known or any(sizes[bare[c]] == sizes[prefixed[c]] for c in shared):
        return None
    return None if len(bare) == len(prefixed) else len(prefixed) > len(bare)


def _two_styles(names: Sequence[str], source: str) -> ChromosomeError:
    return ChromosomeError(
        f"Expected one style of chromosome names in {source}, where genes lie. Received: "
        f"{names[0]!r} and {names[1]!r}. Rename the chromosomes to one of the two styles, or take "
        "out those of another genome."
    )


def agreed_sizes(
    headers: Iterable[tuple[Path, Mapping[str, int]]], wanted: Collection[str], genome: str = ""
) -> dict[str, ChromosomeSize]:
    """Returns the sizes of chromosomes that a genome and the headers of files agree on.

    The mitochondrial chromosome is of either of two sizes in files of one genome: the smaller one
    is taken.

    Args:
        headers: Files, and the chromosome sizes that each one's header has, by the file's own
            names; none for a file without header.
        wanted: Canonical names of the chromosomes that matter, those of gene regions.
        genome: A name of `GENOMES`; "" if unknown.

    Returns:
        Size by canonical name, of the wanted chromosomes and all of the genome's.

    Raises:
        ChromosomeError: If two of them contradict each other about a wanted chromosome, or a file
            the genome about any.
    """
    agreed = {name: ChromosomeSize(size, genome) for name, size in GENOMES.get(genome, {}).items()}
    file_of: dict[str, Path] = {}
    for path, sizes in headers:
        canonical = canonical_names(sizes, path.name, wanted, sizes)
        by_canonical = {canonical[name]: size for name, size in sizes.items()}
        if genome:
            check_genome(by_canonical, genome, path.name)
        for name in filter(wanted.__contains__, by_canonical):
            own = ChromosomeSize(by_canonical[name], path.name)
            known = agreed.setdefault(name, own)
            other = file_of.setdefault(name, path)
            if name == _MITOCHONDRIAL:
                agreed[name] = min(known, own)
            elif known.num_bp != own.num_bp:
                first, second = (
                    (other, path) if other.name == path.name else (other.name, path.name)
                )
                raise ChromosomeError(
                    f"Expected one size of {name} in the headers of all files. Received: "
                    f"{known.num_bp} bp in {first} and {own.num_bp} bp in {second}. Give files of "
                    "one genome."
                )
    return agreed


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
