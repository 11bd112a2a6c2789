"""Which genome a name means: GRCh38.p14 is hg38."""

from __future__ import annotations

import re

from .chromosomes import GENOMES
from .errors import require_known

_ASSEMBLIES = {
    "hg19": re.compile(r"(grch|hs|b|g1k_v|human_g1k_v)37(d5)?(\.p\d+)?"),
    "hg38": re.compile(r"(grch|hs|b)38(dh)?(\.p\d+)?"),
    "mm10": re.compile(r"grcm38(\.p\d+)?"),
}
"""Other names of the genomes, in lower case."""


def known_genome(name: str) -> str:
    """Returns the genome of `GENOMES` that a name means; "" stays.

    Raises:
        InputError: If it is none of them.

    Example:
        >>> [known_genome(name) for name in ("GRCh38.p14", "hs37d5", "MM10")]
        ['hg38', 'hg19', 'mm10']
    """
    lower = name.lower()
    meant = (genome for genome, names in _ASSEMBLIES.items() if names.fullmatch(lower))
    genome = lower if lower in ("", *GENOMES) else next(meant, name)
    require_known("genome", genome, ("", *GENOMES))
    return genome
