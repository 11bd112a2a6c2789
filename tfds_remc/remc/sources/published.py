"""The authors' archive: genes as they were published, with the expression of Roadmap."""

from __future__ import annotations

import dataclasses

import numpy as np
from absl import logging

from ..epigenomes import EPIGENOMES, MARKS
from ..errors import require_known
from ..expression import label_high, read_expression
from ..expression_elsewhere import read_expression_elsewhere
from ..find_files import RPKM_TABLE, find_published_files, fingerprint
from ..gene_table import read_gene_table
from ..orientation import Orientation, measure_orientation
from ..published import SPLITS, read_published
from ..quality import measure_quality
from .config import RemcConfig
from .examples import Examples, Inputs, by_split


@dataclasses.dataclass(eq=False, kw_only=True)
class PublishedConfig(RemcConfig, sources=("published",)):
    """Genes as published; see `RemcConfig` for the options that all sources share.

    Attributes:
        folder: The epigenome's folder in the authors' archive; its id unless given.
        oriented: Whether the bins of the published file already run in the direction of
            transcription; None to measure it.
    """

    folder: str = ""
    oriented: bool | None = None

    is_ready_made = True

    @property
    def genome(self) -> str:
        """Roadmap's."""
        return "hg19"

    def complete(self) -> None:
        """Finds the epigenome's folder."""
        require_known("epigenome", self.epigenome, EPIGENOMES)
        self.folder = self.folder or self.epigenome

    def known_marks(self) -> tuple[str, ...]:
        """Returns the marks of the published files."""
        return MARKS

    def examples(self, inputs: Inputs) -> Examples:
        """Reads the published genes, and turns their bins round where they run backwards."""
        files = find_published_files(inputs.download_manager, inputs.manual_dir, self.folder)
        assert files.archive is not None
        table = read_gene_table(files.gene_table)
        expression = read_expression(files.rpkm_table, self.epigenome)
        published = read_published(
            files.archive, self.folder, table.gene_id.tolist(), num_bins=self.num_bins
        )

        gene_id = np.concatenate([split.gene_id for split in published.values()])
        signal = np.concatenate([split.signal for split in published.values()])
        rows = table.rows_of(gene_id.tolist())
        rpkm = expression.rpkm(gene_id.tolist())
        label = label_high(rpkm, expression.median_rpkm)
        orientation = self._orientation(signal, table.strand[rows])
        logging.info("The published bins run in this direction: %s.", orientation)
        is_oriented = orientation.direction != "genome"
        if orientation.direction == "against transcription":
            signal = signal[:, ::-1]
        split_of_gene = np.repeat(SPLITS, [len(split.gene_id) for split in published.values()])
        quality = measure_quality(
            signal,
            self.marks,
            table.strand[rows],
            flank_bp=self.flank_bp,
            bin_bp=self.bin_bp,
            is_oriented=is_oriented,
            chrom=table.chrom[rows],
            tss=table.tss[rows],
            label=label,
            expression=expression.match(gene_id.tolist()),
        )
        columns_of = by_split(
            split_of_gene,
            signal=signal,
            gene_id=gene_id,
            symbol=table.symbol[rows],
            chrom=table.chrom[rows],
            tss=table.tss[rows],
            strand=table.strand[rows],
            rpkm=rpkm.astype(np.float32),
            label=label,
            label_published=np.concatenate([split.label for split in published.values()]),
            oriented=np.full(len(gene_id), is_oriented),
        )
        metadata = {
            "median_rpkm": expression.median_rpkm,
            "oriented": is_oriented,
            "published_orientation": dataclasses.asdict(orientation),
            "genes_without_rpkm": {
                split: int(np.isnan(rpkm[split_of_gene == split]).sum()) for split in SPLITS
            },
            "provenance": {
                **{
                    split.name: {"bytes": split.size, "md5": split.md5}
                    for split in published.values()
                },
                RPKM_TABLE: fingerprint(files.rpkm_table),
                files.gene_table.name: fingerprint(files.gene_table),
            },
        }
        warnings = (*table.warnings, *expression.warnings)
        elsewhere = read_expression_elsewhere(files.rpkm_table, self.epigenome)
        return Examples(columns_of, metadata, quality, warnings, elsewhere)

    def _orientation(self, signal: np.ndarray, strand: np.ndarray) -> Orientation:
        measured = measure_orientation(signal, strand, self.marks)
        if self.oriented is None:
            return measured
        return dataclasses.replace(
            measured,
            direction="transcription" if self.oriented else "genome",
            decided_by="configured",
        )
