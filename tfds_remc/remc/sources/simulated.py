"""A simulated epigenome, with the planted truth beside its signal."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ..epigenomes import HELD_OUT_MARK, MARKS
from ..expression import MedianOver, label_high
from ..published import SPLITS
from ..simulation import simulate
from .config import RemcConfig
from .examples import Examples, Inputs, by_split


@dataclasses.dataclass(eq=False, kw_only=True)
class SimulatedConfig(RemcConfig, sources=("simulated",)):
    """A simulated epigenome; see `RemcConfig` for the options that all sources share.

    Attributes:
        num_genes: Genes to simulate.
        seed: Of the simulation.
    """

    source: str = "simulated"
    num_genes: int = 3000
    seed: int = 0

    is_ready_made = True

    @property
    def genome(self) -> str:
        """None that there is."""
        return "simulated"

    @property
    def median_over(self) -> MedianOver:
        """All genes that there are."""
        return "genes"

    def known_marks(self) -> tuple[str, ...]:
        """Returns the marks that are simulated."""
        return (*MARKS, HELD_OUT_MARK)

    def features(self) -> dict[str, Any]:
        """Returns the planted truth."""
        shape = (self.num_bins, len(self.marks))
        return {"planted": tfds.features.Tensor(shape=shape, dtype=np.bool_)}

    def examples(self, inputs: Inputs) -> Examples:
        """Simulates the genes; no file is read."""
        genes = simulate(self.num_genes, self.seed, num_bins=self.num_bins, bin_bp=self.bin_bp)
        median_rpkm = float(np.median(genes.rpkm))
        num_genes = len(genes.gene_id)
        columns_of = by_split(
            genes.split,
            signal=genes.signal,
            gene_id=genes.gene_id,
            symbol=genes.symbol,
            chrom=genes.chrom,
            tss=genes.tss,
            strand=genes.strand,
            rpkm=genes.rpkm,
            label=label_high(genes.rpkm, median_rpkm),
            label_published=np.full(num_genes, -1),
            oriented=np.full(num_genes, False),
            planted=genes.planted,
        )
        metadata = {
            "median_rpkm": median_rpkm,
            "oriented": False,
            "genes_without_rpkm": dict.fromkeys(SPLITS, 0),
            "num_genes": self.num_genes,
            "seed": self.seed,
            # The simulated chromosomes end with their last gene region.
            "chromosome_sizes": {
                chrom: int(genes.tss[genes.chrom == chrom].max()) + self.flank_bp
                for chrom in sorted(set(genes.chrom.tolist()))
            },
        }
        return Examples(columns_of, metadata)
