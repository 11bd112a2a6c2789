"""Genes by the names that users type: Ensembl ids, symbols, places."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from keras_chrome.data.dataset import LABEL_FEATURES, Dataset, Genes, label_rule, read_columns
from keras_chrome.errors import InputError
from keras_chrome.vocabulary import SPLITS

_NUM_SUGGESTIONS = 3
_NUM_LISTED = 10
_BETWEEN_NAMES = "@"
# Ensembl's and RefSeq's ids have versions; other names end in a dot and digits on their own.
_VERSIONED = re.compile(r"((?:ENS[A-Z]*\d{11})|(?:[NX][MR]_\d+))\.\d+(?:_\d+)?(_PAR_Y)?")


@dataclass(frozen=True)
class GeneNames:
    """What the genes of a dataset are called, and where they stand; every array is `(genes,)`.

    A gene is asked for by its gene id, its transcript id, both with or without version, its
    symbol, or its place, `chr9:37034475` (0-based, as `tss`). Where genes share one of these,
    several joined by `@` say which is meant: `PAX5@chr9:37034475`, `ENSG00000167578@MIA`. Of genes
    that share all of them `ENSG00000167578~2` is the second. Upper and lower case are the same.

    Attributes:
        gene_id: Ensembl ids; seven of the published ones stand twice.
        symbol: Gene symbols, '' where unknown.
        transcript_id: Of the transcripts that the TSSs are of, '' where each gene has one TSS.
        chrom: Chromosomes, '' where unknown.
        tss: int64, 0-based, -1 where unknown.
        strand: '+', '-' or '' where unknown.
        label: int64, -1 where the label rule says nothing of the gene.
        split: The split that the dataset has the gene in.
    """

    gene_id: np.ndarray
    symbol: np.ndarray
    transcript_id: np.ndarray
    chrom: np.ndarray
    tss: np.ndarray
    strand: np.ndarray
    label: np.ndarray
    split: np.ndarray

    def __len__(self) -> int:
        return len(self.gene_id)

    @cached_property
    def unique(self) -> np.ndarray:
        """A name of each gene that no other has: the symbol, or what has to be added to it."""
        return np.array([self._own_name(position) for position in range(len(self))])

    def find(self, gene: str, *, where: str, splits: np.ndarray, wanted: str | None = None) -> int:
        """The position of a gene.

        Args:
            gene: What the user calls it.
            where: What is looked through, in words.
            splits: Text `(genes,)`, the split of each gene; '' for those not looked through.
            wanted: Look through this split only.

        Raises:
            InputError: If no gene is called so, or several are; it lists those.
        """
        named = [position for position in self._positions(gene) if splits[position]]
        found = [p for p in named if wanted in (None, splits[p])]
        if len(found) == 1:
            return found[0]
        if found:
            raise self._shared(gene, found, splits, where)
        if named:
            raise InputError(
                f"Expected a gene of split {wanted!r} of {where}. Received: gene={gene!r}, which "
                f"is in split {str(splits[named[0]])!r}"
            )
        is_looked_through = (splits != "") if wanted is None else (splits == wanted)
        in_split = "" if wanted is None else f", split {wanted!r}"
        raise InputError(
            f"Expected the gene id, symbol or place of a gene of {where}{in_split} "
            f"({int(is_looked_through.sum())} genes). Received: "
            f"gene={gene!r}{self._nearest(gene, is_looked_through)}"
        )

    def of(self, genes: Genes) -> np.ndarray:
        """The `unique` names of genes of the dataset, text `(genes,)`."""
        names: dict[tuple[Any, ...], deque[str]] = defaultdict(deque)
        for key, name in zip(_keys(self), self.unique, strict=True):
            names[key].append(name)
        # Genes that are alike in all are told apart by their order alone.
        return np.array([of[0] if len(of := names[k]) == 1 else of.popleft() for k in _keys(genes)])

    def _names(self, position: int) -> Iterator[str]:
        """All that a gene may be called alone."""
        for column in (self.symbol, self.gene_id, self.transcript_id):
            if name := str(column[position]):
                yield name
        if place := self._place(position):
            yield place

    def _place(self, position: int) -> str:
        known = self.chrom[position] and self.tss[position] >= 0
        return f"{self.chrom[position]}:{self.tss[position]}" if known else ""

    @cached_property
    def _named(self) -> dict[str, list[int]]:
        """The positions of the genes that have a name."""
        named: dict[str, list[int]] = defaultdict(list)
        for position in range(len(self)):
            for name in {_comparable(name) for name in self._names(position)}:
                named[name].append(position)
        return named

    def _positions(self, gene: str) -> list[int]:
        """The positions of the genes that have a name, or all names that `@` joins."""
        gene = gene.strip()
        # First the whole: there are symbols with such signs of their own.
        if found := self._named.get(_comparable(gene)):
            return found
        if match := re.fullmatch(r"(.+)~([1-9]\d*)", gene):
            return self._positions(match[1])[int(match[2]) - 1 :][:1]
        parts = [self._named.get(_comparable(part), []) for part in gene.split(_BETWEEN_NAMES)]
        return sorted(set(parts[0]).intersection(*parts[1:]))

    def _own_name(self, position: int) -> str:
        head, *more = self._names(position)
        gene_id = str(self.gene_id[position])
        transcript_id, place = str(self.transcript_id[position]), self._place(position)
        longer = [[gene_id], [head, transcript_id], [gene_id, head], [head, place]]
        for parts in ([head], *longer, [head, *more]):
            name = _BETWEEN_NAMES.join(parts)
            if self._positions(name) == [position]:
                return name
        return f"{gene_id}~{self._positions(gene_id).index(position) + 1}"

    def _shared(
        self, gene: str, positions: list[int], splits: np.ndarray, where: str
    ) -> InputError:
        listed = []
        for position in positions[:_NUM_LISTED]:
            place = " ".join(filter(None, [self._place(position), str(self.strand[position])]))
            about = [
                *filter(None, [str(self.gene_id[position]), str(self.transcript_id[position])]),
                *([str(self.symbol[position])] if self.symbol[position] else []),
                *([place] if place else []),
                str(splits[position]),
            ]
            listed.append(f"{self.unique[position]} ({', '.join(about)})")
        if more := len(positions) - len(listed):
            listed.append(f"and {more} more")
        return InputError(
            f"Expected a name that one gene has. Received: gene={gene!r}, which {len(positions)} "
            f"of {where} have: {'; '.join(listed)}. Ask for the one meant by what stands before "
            "its bracket"
        )

    def _nearest(self, gene: str, is_looked_through: np.ndarray) -> str:
        names = {
            name.upper(): name
            for column in (self.symbol, self.gene_id)
            for name in column[is_looked_through].tolist()
            if name
        }
        near = difflib.get_close_matches(gene.upper(), names, n=_NUM_SUGGESTIONS, cutoff=0.5)
        return f"; nearest: {', '.join(names[n] for n in near)}" if near else ""


def read_gene_names(dataset: Dataset, labels: str) -> GeneNames:
    """Read what the genes of a dataset are called, in the order of its splits.

    Args:
        dataset: From `open_dataset`.
        labels: Label rule.

    Raises:
        InputError: If the label rule is unknown.
    """
    feature = LABEL_FEATURES[label_rule(labels)]
    parts = {split: read_columns(dataset, split) for split in SPLITS}
    names = [f.name for f in fields(GeneNames) if f.name not in ("label", "split")]
    return GeneNames(
        **{name: np.concatenate([part[name] for part in parts.values()]) for name in names},
        label=np.concatenate([part[feature] for part in parts.values()]),
        split=np.repeat(list(parts), [len(part["gene_id"]) for part in parts.values()]),
    )


def _keys(genes: GeneNames | Genes) -> Iterator[tuple[Any, ...]]:
    columns = (genes.gene_id, genes.symbol, genes.transcript_id, genes.chrom, genes.tss)
    return zip(*(column.tolist() for column in columns), strict=True)


def _comparable(name: str) -> str:
    """A name as it is compared: without case, version and the commas of a place."""
    name = name.strip().upper()
    if match := _VERSIONED.fullmatch(name):
        return match[1] + (match[2] or "")
    return name.replace(",", "") if ":" in name else name
