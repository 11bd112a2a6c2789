"""A run's model and the genes that it is asked about: where every explanation starts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.data.gene_lookup import gene_position, unknown_gene
from keras_chrome.runs.run import Run, open_run
from keras_chrome.vocabulary import LABELS, SPLITS

if TYPE_CHECKING:
    import keras
    import xarray as xr

    from keras_chrome.baselines import Baseline
    from keras_chrome.data import Dataset, Genes

ON_PROBABILITY = 0.5
"""From this probability of high expression on, a gene counts as predicted ON."""

# A gene is looked for in this order: one that no model has seen says most.
_SPLITS_BY_INTEREST = tuple(reversed(SPLITS))


@dataclass(frozen=True)
class Study:
    """A run's model and genes.

    Attributes:
        run: The run.
        dataset: The dataset of the genes.
        labels: Label rule of the genes.
        genes: The genes.
        model: The run's model.
    """

    run: Run
    dataset: Dataset
    labels: str
    genes: Genes
    model: keras.Model | Baseline

    @property
    def bin_start_bp(self) -> np.ndarray:
        """Where each bin starts, in bp from the TSS, int64 `(bins,)`."""
        return np.arange(self.dataset.num_bins) * self.dataset.bin_bp - self.dataset.flank_bp

    @property
    def tss_distance_bp(self) -> np.ndarray:
        """How far the middle of each bin is from the TSS, in bp, float64 `(bins,)`."""
        return abs(self.bin_start_bp + self.dataset.bin_bp / 2)

    def background(self, num_genes: int = 500, *, seed: int = 0) -> np.ndarray:
        """Signal of training genes drawn at random, for methods that compare with others.

        Args:
            num_genes: How many, or all if there are fewer.
            seed: Seeds the draw.

        Returns:
            float32 `(genes, bins, marks)`.
        """
        signal = self.run.load_genes("train", dataset=self.dataset, labels=self.labels).signal
        rows = np.random.default_rng(seed).permutation(len(signal))[:num_genes]
        return signal[np.sort(rows)]

    def to_xarray(self, variables: Mapping[str, tuple[Any, np.ndarray]]) -> xr.Dataset:
        """The genes with what was found out about them.

        Args:
            variables: Dimensions, of gene, mark and bin, and values of each variable.

        Returns:
            These variables, and `signal` (gene, mark, bin), `label` and `rpkm` (gene).
            Coordinates: `mark`; `bin`, the start of the bin in bp relative to the TSS, along the
            genome, or along the direction of transcription for genes where `oriented` is true; and
            along gene `gene_id`, `symbol`, `chrom`, `tss`, `strand`, `oriented`. Gene is a
            position, since seven published gene ids stand twice.
        """
        import xarray as xr

        from keras_chrome import __version__

        genes = self.genes
        bin_attributes = {"units": "bp", "long_name": "bin start relative to the TSS"}
        return xr.Dataset(
            {
                **variables,
                "signal": (("gene", "mark", "bin"), genes.signal.transpose(0, 2, 1)),
                "label": ("gene", genes.label),
                "rpkm": ("gene", genes.rpkm),
            },
            coords={
                "mark": list(self.run.marks),
                "bin": ("bin", self.bin_start_bp, bin_attributes),
                **{
                    name: ("gene", getattr(genes, name))
                    for name in ("gene_id", "symbol", "chrom", "tss", "strand", "oriented")
                },
            },
            attrs={
                "dataset": self.dataset.name,
                "split": genes.split,
                "label_rule": self.labels,
                "variant": self.run.model_name,
                "bin_bp": self.dataset.bin_bp,
                "source": f"keras-chrome {__version__}",
            },
        )


def open_study(
    run_dir: str | Path,
    *,
    split: str | None = None,
    gene: str | None = None,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    labels: str | None = None,
) -> Study:
    """Load a run's model and genes.

    Args:
        run_dir: A run directory.
        split: `train`, `valid`, `test` or `all`; `test` if None, and with a gene any.
        gene: This one only: Ensembl id or symbol.
        dataset: A built dataset; the run's own if None. It must have the run's bins.
        data_dir: Where datasets were built; where the run found its own if None.
        labels: Label rule; the run's own if None. Genes without such a label are left out.

    Raises:
        InputError: If the run, the dataset or the gene is missing, or they do not fit each other.
    """
    run = open_run(run_dir)
    opened = run.open_dataset(dataset, data_dir)
    labels = labels or run.labels
    if gene is None:
        genes = run.load_genes(split or "test", dataset=opened, labels=labels)
    else:
        genes = _one_gene(run, opened, labels, gene, [split] if split else _SPLITS_BY_INTEREST)
    return Study(run, opened, labels, genes, run.load_model())


def _one_gene(run: Run, dataset: Dataset, labels: str, gene: str, splits: Sequence[str]) -> Genes:
    looked_through = []
    for split in splits:
        genes = run.load_genes(split, dataset=dataset, labels=labels)
        position = gene_position(gene, genes.gene_id, genes.symbol)
        if position is not None:
            return genes.subset(split, np.arange(len(genes)) == position)
        looked_through.append(genes)
    raise unknown_gene(
        gene,
        np.concatenate([g.gene_id for g in looked_through]),
        np.concatenate([g.symbol for g in looked_through]),
        f"{dataset.name}, {'split ' if len(splits) == 1 else 'splits '}{', '.join(splits)}",
    )


def add_study_options(parser: argparse.ArgumentParser, *, splits: bool = True) -> None:
    """Add the options by which commands name the genes; `study_options` reads them."""
    if splits:
        parser.add_argument("--split", choices=(*SPLITS, "all"), help="genes (default: test)")
    parser.add_argument("--dataset", help="built dataset (default: the run's own)")
    parser.add_argument("--data-dir", help="where datasets were built (default: as in training)")
    parser.add_argument("--labels", choices=LABELS, help="label rule (default: the run's own)")


def study_options(given: argparse.Namespace) -> dict[str, Any]:
    """What `add_study_options` added, as arguments of `open_study`."""
    names = ("split", "dataset", "data_dir", "labels")
    return {name: getattr(given, name) for name in names if hasattr(given, name)}
