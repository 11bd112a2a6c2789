"""Genes by their Ensembl ids or symbols."""

import difflib

import numpy as np

from keras_chrome.errors import InputError

_NUM_SUGGESTIONS = 3


def gene_position(gene: str, gene_id: np.ndarray, symbol: np.ndarray) -> int | None:
    """Where a gene stands, the first place if it stands twice; None if it does not.

    Args:
        gene: Ensembl id or symbol; upper and lower case are the same.
        gene_id: Text `(genes,)`.
        symbol: Text `(genes,)`, '' where unknown.
    """
    wanted = gene.upper()
    matches = (np.char.upper(gene_id) == wanted) | (np.char.upper(symbol) == wanted)
    return int(matches.argmax()) if wanted and matches.any() else None


def unknown_gene(gene: str, gene_id: np.ndarray, symbol: np.ndarray, where: str) -> InputError:
    """The error for a gene that is not there, with the names that are most like it.

    Args:
        gene: What was asked for.
        gene_id: Text `(genes,)`, of all genes looked through.
        symbol: Text `(genes,)`.
        where: What was looked through, in words.
    """
    names = {name.upper(): name for name in (*symbol.tolist(), *gene_id.tolist()) if name}
    near = difflib.get_close_matches(gene.upper(), names, n=_NUM_SUGGESTIONS, cutoff=0.5)
    nearest = f"; nearest: {', '.join(names[n] for n in near)}" if near else ""
    return InputError(
        f"Expected a gene id or symbol in {where} ({len(gene_id)} genes). Received: "
        f"gene={gene!r}{nearest}"
    )
