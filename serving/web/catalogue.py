"""Genes of a built dataset, read once, found by symbol or id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import InputError
from serving.genes import Genes, examples_of, open_dataset


@dataclass(frozen=True)
class Gene:
    """One gene of a dataset.

    Attributes:
        key: Its own name in this dataset: its id, or `ID~2` for the second with that id.
        gene_id: As in the dataset.
        symbol: Empty where it has none.
        place: `chr9:37,034,476`, empty where it is not known.
        strand: `+`, `-`, or empty.
        split: Where the dataset put it.
        oriented: True if its bins run in the direction of transcription.
        rpkm: Its measured expression; NaN where it is not known.
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

    @property
    def name(self) -> str:
        """What people call it."""
        return self.symbol or self.gene_id


@dataclass(frozen=True)
class Catalogue:
    """The genes of a dataset.

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

    @cached_property
    def _names(self) -> list[tuple[str, ...]]:
        return [
            tuple(text.casefold() for text in (gene.symbol, gene.gene_id, gene.key) if text)
            for gene in self.genes
        ]

    def find(self, text: str) -> list[int]:
        """The genes of exactly that symbol, id or key; upper and lower case are the same."""
        wanted = text.strip().casefold()
        # A key is one gene's own, and the key of the first with an id is the id itself.
        return [i for i, names in enumerate(self._names) if wanted in names]

    def search(self, text: str, limit: int) -> tuple[list[int], int]:
        """Genes whose symbol or id is the text, starts with it, or has it within, in this order.

        Returns:
            At most `limit` of them, and how many there are.
        """
        wanted = text.strip().casefold()
        if not wanted:
            return [], 0
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
        for key in ("bin_bp", "flank_bp", "oriented"):
            expected = details.get(key)
            if expected is not None and self.metadata.get(key) != expected:
                raise InputError(
                    f"Expected {key}={expected}, on which the model was trained. Received: "
                    f"{key}={self.metadata.get(key)} in {self.name}. Pick another model or dataset"
                )

    def suits(self, details: Mapping[str, Any]) -> bool:
        """Whether a model can be asked about these genes."""
        try:
            self.check(details)
        except InputError:
            return False
        return set(details["marks"]) <= set(self.marks)


class NoGeneError(InputError):
    """No gene of a dataset, or more than one, has exactly that name."""

    def __init__(self, text: str, number: int, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        if number > 1:
            super().__init__(
                f"Expected one gene. Received: gene={text}, the name of {number} genes of "
                f"{catalogue.name}"
            )
        else:
            super().__init__(
                f"Expected the symbol or id of a gene of {catalogue.name}. Received: gene={text}. "
                "Try the start of its name"
            )


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
    times: dict[str, int] = {}
    for split in splits or info.splits:
        for example in examples_of(builder, split):
            gene_id = _text(example["gene_id"])
            times[gene_id] = times.get(gene_id, 0) + 1
            genes.append(_gene(example, gene_id, times[gene_id], split))
            signals.append(example["signal"])
    if not genes:
        raise InputError(f"Expected genes. Received: dataset={dataset}, which has none")
    name = "/".join(filter(None, (info.name, info.config_name)))
    return Catalogue(
        name, dict(info.metadata), tuple(info.metadata["marks"]), genes, np.stack(signals)
    )


def _gene(example: Mapping[str, Any], gene_id: str, time: int, split: str) -> Gene:
    chrom, tss = _text(example.get("chrom", b"")), int(example.get("tss", -1))
    oriented = example.get("oriented")
    labels = (int(example.get(name, -1)) for name in ("label", "label_published"))
    is_high, is_high_published = (bool(label) if label >= 0 else None for label in labels)
    return Gene(
        key=gene_id if time == 1 else f"{gene_id}~{time}",
        gene_id=gene_id,
        symbol=_text(example.get("symbol", b"")),
        place=f"{chrom}:{tss:,}" if chrom and tss >= 0 else "",
        strand=_text(example.get("strand", b"")),
        split=split,
        oriented=None if oriented is None else bool(oriented),
        rpkm=float(example.get("rpkm", np.nan)),
        is_high=is_high,
        is_high_published=is_high_published,
    )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


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
