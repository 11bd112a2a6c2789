"""Own signal that is binned already."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ..annotations import date_warnings
from ..epigenomes import spelling_warnings
from ..expression import ExpressionUnit, MatchedExpression, MedianOver, read_expression
from ..expression_elsewhere import read_expression_elsewhere
from ..genome_names import known_genome
from ..signal_array import SignalArray, SignalArrayError, read_signal_array
from .config import RemcConfig
from .examples import Examples, Inputs
from .own import own_examples


@dataclasses.dataclass(eq=False, kw_only=True)
class SignalArrayConfig(RemcConfig, sources=("signal_array",)):
    """Own signal as an array; see `RemcConfig` for the options that all sources share.

    Attributes:
        signal_array: The file, see `signal_array.py`.
        expression: Expression table, with a column named as the epigenome; None to take the
            array's own.
        seed: Of the splits, if the array has none.
        unit: What the numbers of the expression are.
        median_over: What the median is over that parts high from low: the "genes" of the array, or
            the whole expression "table". Where the array has its own, its genes are the table.
        genome: Genome of the gene regions, such as "hg38"; "" if unknown.
    """

    source: str = "signal_array"
    signal_array: Path
    expression: Path | None = None
    seed: int = 0
    unit: ExpressionUnit = "RPKM"
    median_over: MedianOver = "genes"
    genome: str = ""

    def complete(self) -> None:
        """Checks the genome."""
        self.genome = known_genome(self.genome)

    def array(self) -> SignalArray:
        """The array."""
        return read_signal_array(self.signal_array)

    def known_marks(self) -> tuple[str, ...]:
        """Returns the marks of the array."""
        return self.array().marks

    def examples(self, inputs: Inputs) -> Examples:
        """Reads the array."""
        array = self.array()
        if array.signal.shape[1] != self.num_bins:
            raise SignalArrayError(
                f"Expected {self.num_bins} bins, as flank_bp={self.flank_bp} and "
                f"bin_bp={self.bin_bp} have, in {self.signal_array}. "
                f"Received: {array.signal.shape[1]}. Give the flank_bp and bin_bp of the array."
            )
        warnings = [*spelling_warnings(array.written_marks, self.signal_array.name)]
        warnings += date_warnings(array.genes.gene_id.tolist(), self.signal_array.name)
        elsewhere = {}
        if self.expression:
            elsewhere = read_expression_elsewhere(
                self.expression, self.epigenome, unit=self.unit, is_only=True
            )
            expression = read_expression(
                self.expression, self.epigenome, unit=self.unit, is_only=True
            )
            matched = expression.match(array.genes.gene_id.tolist())
            median_rpkm = matched.median_of_genes
            if self.median_over == "table":
                median_rpkm = expression.median_rpkm
            warnings += expression.warnings
        elif array.rpkm is None or np.isnan(array.rpkm).all():
            raise SignalArrayError(
                f"Expected the array rpkm in {self.signal_array}, or an expression table. "
                "Received: neither."
            )
        else:
            num_unknown = int(np.isnan(array.rpkm).sum())
            # A gene counts once also where it has several regions.
            known = array.rpkm[~np.isnan(array.rpkm)].tolist()
            gene_ids = array.genes.gene_id[~np.isnan(array.rpkm)].tolist()
            of_genes = set(zip(gene_ids, known, strict=True))
            median_rpkm = float(np.median([rpkm for _, rpkm in of_genes]))
            matched = MatchedExpression(array.rpkm, 0, num_unknown, 0, median_rpkm)
        examples = own_examples(
            self,
            seed=self.seed,
            signal=array.signal[..., [array.marks.index(mark) for mark in self.marks]],
            genes=array.genes,
            matched=matched,
            median_rpkm=median_rpkm,
            provenance=self.provenance(),
            split=array.split,
            warnings=warnings,
        )
        return dataclasses.replace(examples, elsewhere=elsewhere)
