"""Genes of a built dataset, read once, found by the names that people know them by."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import InputError
from serving.genes import (
    Genes,
    check_regions,
    examples_of,
    open_dataset,
    plain_mark,
    text_of,
)

_BETWEEN_NAMES = "@"
_NUM_LISTED = 10
# Ensembl's and RefSeq's ids have versions; other names end in a dot and digits on their own.
_VERSIONED = re.compile(
    r"((?:ENS[A-Z]*\d{11})|(?:[NX][MR]_\d+))\.\d+(?:_\d+)?(_PAR_Y)?", re.IGNORECASE
)
# What tables write for a symbol that nobody knows.
_NO_SYMBOL = {"na", "n/a", "#n/a", "-", ".", "nan"}
# What the signal is where its source says so; else reads, or what nobody knows.
_UNIT_OF_TRACK = {"fold_change": "fold change", "p_value": "-log10 p"}


@dataclass(frozen=True)
class Gene:
    """One gene of a dataset.

    Attributes:
        key: A name that no other gene of the dataset has; see `Catalogue`.
        gene_id: As in the dataset.
        symbol: Empty where it has none.
        transcript_id: Of the transcript whose TSS it is; empty where each gene has one TSS.
        place: `chr9:37,034,476`, empty where it is not known.
        strand: `+`, `-`, or empty.
        split: Where the dataset put it.
        oriented: True if its bins run in the direction of transcription.
        rpkm: Its measured expression, in the dataset's unit; NaN where it is not known.
        is_high: Whether that counts as high by the rule of the dataset, or None.
        is_high_published: Likewise by the label that its authors published, or None.
    """

    key: str
    gene_id: str
    symbol: str
    place: str
    strand: str
    split: str
    oriented: bool | None
    rpkm: float
    is_high: bool | None
    is_high_published: bool | None
    transcript_id: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.symbol or self.gene_id

    @property
    def names(self) -> Iterator[str]:
        """All that it may be called alone."""
        yield from filter(None, (self.symbol, self.gene_id, self.transcript_id, self.place))


@dataclass(frozen=True)
class Catalogue:
    """The genes of a dataset.

    A gene is asked for by its gene id, its transcript id, both with or without version, its symbol,
    or its place, `chr9:37034475` (0-based). Where genes share one of these, several joined by `@`
    say which is meant: `PAX5@chr9:37034475`, `ENSG00000167578@MIA`. Of genes that share all of them
    `ENSG00000167578~2` is the second. Upper and lower case are the same.

    Attributes:
        name: Of the dataset, such as `remc/E012`.
        metadata: Of the dataset.
        marks: Names of the marks, in the order of the signal's last axis.
        genes: In the order of the dataset.
        signal: Float32 array `(genes, bins, marks)`, as measured.
    """

    name: str
    metadata: Mapping[str, Any]
    marks: tuple[str, ...]
    genes: Sequence[Gene]
    signal: np.ndarray

    @property
    def unit(self) -> str:
        """The unit of `rpkm`."""
        options = self.metadata.get("options") or {}
        return str(self.metadata.get("unit") or options.get("unit") or "RPKM")

    @cached_property
    def signal_unit(self) -> str:
        """What the signal counts, in a word or two; empty where nobody knows.

        Published files hold counts of reads, or their mean depth, and do not say which.
        """
        options = self.metadata.get("options") or {}
        source = self.metadata.get("source")
        if source in _UNIT_OF_TRACK:
            return _UNIT_OF_TRACK[source]
        if source == "sample_sheet" and not self._is_of_reads():
            return ""
        if options.get("normalize") == "cpm":
            return "CPM"
        if source == "published" and (self.signal % 1).any():
            return "read depth"
        is_counted = source in ("published", "simulated", "alignments", "sample_sheet")
        return "reads" if is_counted else ""

    def _is_of_reads(self) -> bool:
        """Whether the signal of every mark was counted from reads, by the names of its files."""
        files = self.metadata.get("provenance") or {}
        names = [str((files.get(mark) or {}).get("file", "")).lower() for mark in self.marks]
        return all(name.removesuffix(".gz").endswith((".bam", ".tagalign")) for name in names)

    @cached_property
    def _names(self) -> list[tuple[str, ...]]:
        return [tuple(map(_comparable, gene.names)) for gene in self.genes]

    @cached_property
    def _named(self) -> dict[str, list[int]]:
        """The genes that have a name."""
        named: dict[str, list[int]] = defaultdict(list)
        for i, gene in enumerate(self.genes):
            for name in set(map(_comparable, gene.names)):
                named[name].append(i)
        return named

    def find(self, text: str) -> list[int]:
        """The genes that are called so."""
        text = text.strip()
        # First the whole: there are symbols with such signs of their own.
        if found := self._named.get(_comparable(text)):
            return found
        if match := re.fullmatch(r"(.+)~([1-9]\d*)", text):
            return self.find(match[1])[int(match[2]) - 1 :][:1]
        parts = [self._named.get(_comparable(part), []) for part in text.split(_BETWEEN_NAMES)]
        return sorted(set(parts[0]).intersection(*parts[1:]))

    def own_name(self, i: int) -> str:
        """A name of a gene that no other has: its symbol, or what has to be added to it."""
        gene = self.genes[i]
        head, *more = gene.names
        place = gene.place.replace(",", "")
        longer = [[gene.gene_id], [head, gene.transcript_id], [gene.gene_id, head], [head, place]]
        for parts in ([head], *longer, [head, *more]):
            name = _BETWEEN_NAMES.join(parts)
            if self.find(name) == [i]:
                return name
        return f"{gene.gene_id}~{self.find(gene.gene_id).index(i) + 1}"

    def with_keys(self) -> "Catalogue":
        """The same genes, each with its own name as its key."""
        genes = [replace(gene, key=self.own_name(i)) for i, gene in enumerate(self.genes)]
        return replace(self, genes=genes)

    def search(self, text: str, limit: int) -> tuple[list[int], int]:
        """Genes with a name that is the text, starts with it, or has it within, in this order.

        Returns:
            At most `limit` of them, and how many there are.
        """
        wanted = _comparable(text)
        if not wanted:
            return [], 0
        # Of names joined, and `~2`, there is nothing to complete.
        if wanted not in self._named and (exact := self.find(text)):
            return exact[:limit], len(exact)
        ranked: tuple[list[int], list[int], list[int]] = ([], [], [])
        for i, names in enumerate(self._names):
            if wanted in names:
                ranked[0].append(i)
            elif any(name.startswith(wanted) for name in names):
                ranked[1].append(i)
            elif any(wanted in name for name in names):
                ranked[2].append(i)
        found = [i for of in ranked for i in sorted(of, key=lambda i: self._names[i])]
        return found[:limit], len(found)

    def take(self, gene: int) -> Genes:
        """One gene as a client sends it."""
        return Genes(np.array([self.genes[gene].gene_id]), self.signal[gene : gene + 1], self.marks)

    def check(self, details: Mapping[str, Any]) -> None:
        """Compare what the model says of its training data with this dataset.

        Raises:
            InputError: If the gene regions are not laid out alike.
        """
        check_regions({**self.metadata, "source": self.name}, details)

    def suits(self, details: Mapping[str, Any]) -> bool:
        """Whether a model can be asked about these genes."""
        try:
            self.check(details)
        except InputError:
            return False
        return set(map(plain_mark, details["marks"])) <= set(map(plain_mark, self.marks))


class NoGeneError(InputError):
    """No gene of a dataset, or more than one, has exactly that name."""

    def __init__(self, text: str, found: Sequence[int], catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.found = found
        if found:
            listed = [_listed(catalogue, i) for i in found[:_NUM_LISTED]]
            if more := len(found) - len(listed):
                listed.append(f"and {more} more")
            super().__init__(
                f"Expected a name that one gene has. Received: gene={text!r}, which {len(found)} "
                f"of {catalogue.name} have: {'; '.join(listed)}. Ask for the one meant by what "
                "stands before its bracket"
            )
        else:
            super().__init__(
                f"Expected the gene id, symbol or place of a gene of {catalogue.name} "
                f"({len(catalogue.genes)} genes). Received: gene={text!r}. Try the start of its "
                "name"
            )


def _listed(catalogue: Catalogue, i: int) -> str:
    gene = catalogue.genes[i]
    place = " ".join(filter(None, (gene.place.replace(",", ""), gene.strand)))
    about = filter(None, (gene.gene_id, gene.transcript_id, gene.symbol, place, gene.split))
    return f"{gene.key} ({', '.join(about)})"


def _comparable(name: str) -> str:
    """A name as it is compared: without case, version and the commas of a place."""
    name = name.strip()
    if match := _VERSIONED.fullmatch(name):
        name = match[1] + (match[2] or "")
    return (name.replace(",", "") if ":" in name else name).casefold()


def read_catalogue(
    dataset: str | Path,
    splits: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
) -> Catalogue:
    """Read the genes of a built dataset.

    Args:
        dataset: Its name, or the folder of its version, as `serving.genes.open_dataset` takes it.
        splits: Names of splits; all by default.
        data_dir: Where datasets were built; the default of tensorflow-datasets if None.

    Raises:
        InputError: If there is no such dataset or split.
    """
    builder = open_dataset(dataset, data_dir)
    info = builder.info
    for split in splits or ():
        if split not in info.splits:
            raise InputError(
                f"Expected one of the splits {', '.join(info.splits)} of {dataset}. Received: "
                f"split={split}"
            )
    genes: list[Gene] = []
    signals: list[np.ndarray] = []
    for split in splits or info.splits:
        for example in examples_of(builder, split):
            genes.append(_gene(example, split))
            signals.append(example["signal"])
    if not genes:
        raise InputError(f"Expected genes. Received: dataset={dataset}, which has none")
    name = "/".join(filter(None, (info.name, info.config_name)))
    marks = tuple(info.metadata["marks"])
    return Catalogue(name, dict(info.metadata), marks, genes, np.stack(signals)).with_keys()


def _gene(example: Mapping[str, Any], split: str) -> Gene:
    chrom, tss = text_of(example.get("chrom", b"")), int(example.get("tss", -1))
    symbol = text_of(example.get("symbol", b"")).strip()
    oriented = example.get("oriented")
    labels = (int(example.get(name, -1)) for name in ("label", "label_published"))
    is_high, is_high_published = (bool(label) if label >= 0 else None for label in labels)
    return Gene(
        key="",
        gene_id=text_of(example["gene_id"]),
        symbol="" if symbol.casefold() in _NO_SYMBOL else symbol,
        place=f"{chrom}:{tss:,}" if chrom and tss >= 0 else "",
        strand=text_of(example.get("strand", b"")),
        split=split,
        oriented=None if oriented is None else bool(oriented),
        rpkm=float(example.get("rpkm", np.nan)),
        is_high=is_high,
        is_high_published=is_high_published,
        transcript_id=text_of(example.get("transcript_id", b"")),
    )


def read_catalogues(
    datasets: Sequence[str | Path],
    splits: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
) -> dict[str, Catalogue]:
    """Read several datasets, by their names.

    Raises:
        InputError: Likewise, and if two have the same name.
    """
    catalogues: dict[str, Catalogue] = {}
    for dataset in datasets:
        catalogue = read_catalogue(dataset, splits, data_dir)
        if catalogue.name in catalogues:
            raise InputError(
                f"Expected datasets of different names. Received: {catalogue.name} twice, the "
                f"second in {dataset}. Give one of them"
            )
        catalogues[catalogue.name] = catalogue
    return catalogues
