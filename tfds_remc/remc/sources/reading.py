"""Gene regions that are filled from files of reads or tracks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ..expression import ExpressionUnit, MedianOver, read_expression
from ..expression_elsewhere import read_expression_elsewhere
from ..file_types import SignalFile
from ..find_files import fingerprint
from ..gene_table import TssLevel, read_gene_table
from ..mark_quality import MarkFile
from ..own_data import FileReader, Normalization, lay_regions, read_marks
from ..progress import counted
from ..quality import share_of_genome
from ..reads import Position, ReadOptions
from ..regions import EndPolicy
from ..samples import Sample
from .config import RemcConfig
from .examples import Examples
from .own import own_examples


@dataclasses.dataclass(eq=False, kw_only=True)
class ReadingConfig(RemcConfig):
    """How files are read; see `RemcConfig` for the options that all sources share.

    Attributes:
        seed: Of the splits.
        unit: What the numbers of the expression table are.
        median_over: What the median is over that parts high from low: the "genes" of the dataset,
            or the whole expression "table".
        tss: "gene", a region a gene, or "transcript", one for each distinct TSS.
        biotype: Genes of this biotype only, where a GTF or GFF3 has biotypes; None or "all"
            for all.
        edges: "keep" or "drop" regions that reach over an end of their chromosome.
        genome: Genome that files are checked against, such as "hg38"; "" for none.
        position: "overlap" or "five_prime": where a read counts, see `reads.ReadOptions`.
        extend_bp: Length that reads are extended to; None to leave them.
        fragments: Count the proper pairs of BAM files in place of their reads.
        min_mapq: Least mapping quality of a read in a BAM file.
        normalize: "none", or "cpm" for counts per million reads.
        subtract_control: Subtract each mark's control, scaled to its reads.
    """

    seed: int = 0
    unit: ExpressionUnit = "RPKM"
    median_over: MedianOver = "genes"
    tss: TssLevel = "gene"
    biotype: str | None = "protein_coding"
    edges: EndPolicy = "keep"
    genome: str = ""
    position: Position = "overlap"
    extend_bp: int | None = None
    fragments: bool = False
    min_mapq: int = 0
    normalize: Normalization = "none"
    subtract_control: bool = False

    def __post_init__(self) -> None:
        if self.biotype == "all":
            self.biotype = None
        super().__post_init__()

    def features(self) -> dict[str, Any]:
        """Returns which bins lie beyond a chromosome, and the transcript if regions are theirs."""
        beyond_end = tfds.features.Tensor(shape=(self.num_bins,), dtype=np.bool_)
        of_transcript = {"transcript_id": tfds.features.Text()} if self.tss == "transcript" else {}
        return {"beyond_end": beyond_end, **of_transcript}


def read_examples(
    config: ReadingConfig,
    samples: Sequence[Sample],
    gene_table: Path,
    expression_table: Path,
    read_files: FileReader | None,
    warnings: Sequence[str] = (),
    *,
    others: Sequence[Sample] = (),
    is_only_epigenome: bool = False,
) -> Examples:
    """Reads the signal of gene regions.

    Args:
        config: How to read.
        samples: The files of the marks, in the order of `config.marks`.
        gene_table: The genes.
        expression_table: Their expression.
        read_files: Reads all files of the marks at once; None to read one after the other.
        warnings: Lines that come before those of the files.
        others: Samples of other epigenomes with the same genes, whose headers must agree.
        is_only_epigenome: Whether the expression table may be of this epigenome alone.

    Raises:
        InputError: If a file is at fault, or files do not fit together.
    """
    expression = read_expression(
        expression_table, config.epigenome, unit=config.unit, is_only=is_only_epigenome
    )
    regions = lay_regions(
        read_gene_table(gene_table, tss=config.tss, biotype=config.biotype),
        flank_bp=config.flank_bp,
        bin_bp=config.bin_bp,
        edges=config.edges,
        genome=config.genome,
        files=_files([*samples, *others]),
    )
    matched = expression.match(regions.genes.gene_id.tolist())
    reading = read_marks(
        samples,
        regions.bins,
        ReadOptions(
            position=config.position,
            extend_bp=config.extend_bp,
            fragments=config.fragments,
            min_mapq=config.min_mapq,
            genome=config.genome or None,
        ),
        normalize=config.normalize,
        subtract_control=config.subtract_control,
        read_files=read_files,
    )
    marks = list(counted(reading, "reading files", unit="marks", total=len(samples)))
    of_marks = dict.fromkeys(warning for mark in marks for warning in mark.warnings())
    warnings = [*warnings, *regions.genes.warnings, *expression.warnings]
    warnings += [*regions.warnings, *of_marks]
    files = {"genes": gene_table, "expression": expression_table}
    files |= {sample.mark: sample.path for sample in samples}
    if config.subtract_control:
        files |= {f"{s.mark} control": s.control for s in samples if s.control}
    columns = {"beyond_end": regions.is_beyond}
    if config.tss == "transcript":
        columns["transcript_id"] = regions.genes.transcript_id
    examples = own_examples(
        config,
        seed=config.seed,
        signal=np.stack([mark.values for mark in marks], axis=-1),
        genes=regions.genes,
        matched=matched,
        median_rpkm=(
            matched.median_of_genes if config.median_over == "genes" else expression.median_rpkm
        ),
        provenance={
            **{what: {"file": path.name, **fingerprint(path)} for what, path in files.items()},
            **config.provenance(),
        },
        quality={
            "files": {m.sample.mark: MarkFile(m.sample.path, m.source) for m in marks},
            "genes_left_out": regions.genes.left_out,
            "region_share": (
                share_of_genome(regions.bins, config.genome) if config.genome else None
            ),
        },
        warnings=warnings,
        **columns,
    )
    sizes = {"chromosome_sizes": regions.chromosome_sizes}
    elsewhere = read_expression_elsewhere(
        expression_table,
        config.epigenome,
        others={sample.epigenome for sample in others},
        unit=config.unit,
        is_only=is_only_epigenome,
    )
    return dataclasses.replace(
        examples, metadata={**examples.metadata, **sizes}, elsewhere=elsewhere
    )


def _files(samples: Sequence[Sample]) -> list[SignalFile]:
    """All files of the samples, each once; of a control of unknown type nothing may be asked."""
    controls = [s.control_file for s in samples if s.control_file and s.control_file.is_told]
    return list(dict.fromkeys([*(sample.file for sample in samples), *controls]))
