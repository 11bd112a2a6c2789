"""The dataset `remc`: histone-mark signal around every gene's TSS, labelled by expression."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from .epigenomes import EPIGENOMES, HELD_OUT_MARK, MARKS
from .expression import LABEL_RULE, label_high, read_expression
from .orientation import Orientation, measure_orientation
from .published import SPLITS, read_published
from .regions import read_gene_table
from .simulation import simulate
from .sources import ARCHIVE, GENES_TSV, RPKM_TABLE, URLS, find_sources, fingerprint

Columns = dict[str, np.ndarray]
"""One array over genes for each feature."""


@dataclasses.dataclass(eq=False, kw_only=True)
class RemcConfig(tfds.core.BuilderConfig):
    """What to build.

    Attributes:
        epigenome: Roadmap id of the epigenome, "E003"; "" if simulated.
        folder: The epigenome's folder in the authors' archive; its id unless given.
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Bins a gene region.
        bin_bp: Width of a bin.
        flank_bp: Distance from the gene region's start to the TSS.
        oriented: Whether the bins of the published file already run in the direction of
            transcription; None to measure it.
        is_simulated: Whether to simulate the signal and the expression.
        num_genes: Genes to simulate.
        seed: Of the simulation.
    """

    epigenome: str = ""
    folder: str = ""
    marks: tuple[str, ...] = MARKS
    num_bins: int = 100
    bin_bp: int = 100
    flank_bp: int = 5000
    oriented: bool | None = None
    is_simulated: bool = False
    num_genes: int = 3000
    seed: int = 0

    def __post_init__(self) -> None:
        self.marks = tuple(self.marks)
        expected_marks = (*MARKS, HELD_OUT_MARK) if self.is_simulated else MARKS
        if self.marks != expected_marks:
            raise ValueError(
                f"Expected the marks in the order {', '.join(expected_marks)}. "
                f"Received: marks={', '.join(self.marks)}."
            )
        if self.num_bins * self.bin_bp != 2 * self.flank_bp:
            raise ValueError(
                "Expected num_bins x bin_bp to be 2 x flank_bp. Received: "
                f"num_bins={self.num_bins}, bin_bp={self.bin_bp}, flank_bp={self.flank_bp}."
            )
        if not self.is_simulated:
            if self.epigenome not in EPIGENOMES:
                raise ValueError(_unknown("epigenome", self.epigenome, EPIGENOMES))
            self.folder = self.folder or self.epigenome


def _unknown(what: str, name: str, known: Any) -> str:
    return f"Expected {what} to be one of {', '.join(known)}. Received: {what}={name!r}."


class Builder(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder,
    # The folder is importable under two names, as `tfds_remc.remc` and through the symlink at the
    # root as `remc`. TFDS refuses the same name twice, so only the first one registers it.
    skip_registration=not __name__.startswith("tfds_remc."),
):
    """Builder of the dataset `remc`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""\
    Put these files into manual_dir, or leave out those that may be downloaded:
    {ARCHIVE} ({URLS[ARCHIVE]}) or its unpacked folders, {RPKM_TABLE} ({URLS[RPKM_TABLE]}), and
    {GENES_TSV} or Roadmap's gene_info. The config `demo` needs none.
    """
    # `tfds build remc` builds all of them in this order and stops at the first that fails: first
    # the one that needs no file, last the one that is not in every copy of the archive.
    BUILDER_CONFIGS: ClassVar = [
        RemcConfig(
            name="demo",
            description="Simulated, with the planted truth beside the signal.",
            is_simulated=True,
            marks=(*MARKS, HELD_OUT_MARK),
        ),
        *(
            RemcConfig(
                name=epigenome.eid,
                description=f"{epigenome.name} ({epigenome.group}).",
                epigenome=epigenome.eid,
            )
            for epigenome in EPIGENOMES.values()
        ),
        RemcConfig(
            name="Toy",
            description="The 30 genes of E003 that come with the authors' code.",
            epigenome="E003",
            folder="Toy",
        ),
    ]
    DEFAULT_BUILDER_CONFIG_NAME = "E003"

    def __init__(self, *, config: str | RemcConfig | None = None, **kwargs: Any) -> None:
        """Creates the builder; see `tfds.core.DatasetBuilder`."""
        if isinstance(config, str) and config.split(":")[0] not in self.builder_configs:
            raise ValueError(_unknown("config", config, self.builder_configs))
        super().__init__(config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        shape = (config.num_bins, len(config.marks))
        features = {
            "signal": tfds.features.Tensor(shape=shape, dtype=np.float32),
            "gene_id": tfds.features.Text(),
            "symbol": tfds.features.Text(),
            "chrom": tfds.features.Text(),
            "tss": np.int64,
            "strand": tfds.features.Text(),
            "rpkm": np.float32,
            "label": tfds.features.ClassLabel(names=["low", "high"]),
            "label_published": np.int64,
            "oriented": np.bool_,
        }
        if config.is_simulated:
            features["planted"] = tfds.features.Tensor(shape=shape, dtype=np.bool_)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("signal", "label"),
            homepage="https://github.com/QData/AttentiveChrome",
            metadata=tfds.core.MetadataDict(
                marks=list(config.marks),
                num_bins=config.num_bins,
                bin_bp=config.bin_bp,
                flank_bp=config.flank_bp,
                genome="simulated" if config.is_simulated else "hg19",
                epigenome=config.epigenome,
                label_rule=LABEL_RULE,
            ),
        )

    def download_and_prepare(
        self, *, download_config: tfds.download.DownloadConfig | None = None, **kwargs: Any
    ) -> None:
        """Builds the dataset; see `tfds.core.DatasetBuilder`."""
        manual_dir = download_config and download_config.manual_dir
        if manual_dir and not Path(manual_dir).expanduser().is_dir():
            raise ValueError(
                f"Expected manual_dir to be a folder. Received: manual_dir={str(manual_dir)!r}."
            )
        super().download_and_prepare(download_config=download_config, **kwargs)

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        if self.builder_config.is_simulated:
            splits = self._simulated_splits()
        else:
            splits = self._published_splits(dl_manager)
        return {split: self._generate_examples(columns) for split, columns in splits.items()}

    def _generate_examples(self, columns: Columns) -> Iterator[tuple[int, dict[str, Any]]]:
        for position in range(len(columns["gene_id"])):
            # The position is the key: a few gene ids stand twice.
            yield position, {name: values[position] for name, values in columns.items()}

    def _published_splits(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Columns]:
        config = self.builder_config
        try:
            manual_dir = Path(dl_manager.manual_dir)
        except AssertionError:  # TFDS's word for a folder that is empty or not there.
            manual_dir = None
        sources = find_sources(dl_manager, manual_dir, config.folder)
        table = read_gene_table(sources.gene_table)
        expression = read_expression(sources.rpkm_table, config.epigenome)
        published = read_published(
            sources.published, config.folder, table.gene_id.tolist(), num_bins=config.num_bins
        )

        gene_id = np.concatenate([split.gene_id for split in published.values()])
        signal = np.concatenate([split.signal for split in published.values()])
        rows = table.rows_of(gene_id.tolist())
        rpkm = expression.rpkm(gene_id.tolist())
        orientation = self._orientation(signal, table.strand[rows])
        is_oriented = orientation.direction != "genome"
        if orientation.direction == "against transcription":
            signal = signal[:, ::-1]
        split_of_gene = np.repeat(SPLITS, [len(split.gene_id) for split in published.values()])
        genes_without_rpkm = {
            split: int(np.isnan(rpkm[split_of_gene == split]).sum()) for split in SPLITS
        }
        logging.info("The published bins run in this direction: %s.", orientation)
        logging.log(
            logging.WARNING if any(genes_without_rpkm.values()) else logging.INFO,
            "Genes without RPKM, kept without a label: %s.",
            genes_without_rpkm,
        )
        self.info.metadata.update(
            median_rpkm=expression.median_rpkm,
            oriented=is_oriented,
            published_orientation=dataclasses.asdict(orientation),
            genes_without_rpkm=genes_without_rpkm,
            provenance={
                **{
                    split.name: {"bytes": split.size, "md5": split.md5}
                    for split in published.values()
                },
                RPKM_TABLE: fingerprint(sources.rpkm_table),
                sources.gene_table.name: fingerprint(sources.gene_table),
            },
        )
        return _by_split(
            split_of_gene,
            signal=signal,
            gene_id=gene_id,
            symbol=table.symbol[rows],
            chrom=table.chrom[rows],
            tss=table.tss[rows],
            strand=table.strand[rows],
            rpkm=rpkm.astype(np.float32),
            label=label_high(rpkm, expression.median_rpkm),
            label_published=np.concatenate([split.label for split in published.values()]),
            oriented=np.full(len(gene_id), is_oriented),
        )

    def _orientation(self, signal: np.ndarray, strand: np.ndarray) -> Orientation:
        config = self.builder_config
        measured = measure_orientation(signal, strand, config.marks)
        if config.oriented is None:
            return measured
        return dataclasses.replace(
            measured,
            direction="transcription" if config.oriented else "genome",
            decided_by="configured",
        )

    def _simulated_splits(self) -> dict[str, Columns]:
        config = self.builder_config
        genes = simulate(
            config.num_genes, config.seed, num_bins=config.num_bins, bin_bp=config.bin_bp
        )
        median_rpkm = float(np.median(genes.rpkm))
        num_genes = len(genes.gene_id)
        self.info.metadata.update(
            median_rpkm=median_rpkm,
            oriented=False,
            genes_without_rpkm=dict.fromkeys(SPLITS, 0),
            num_genes=config.num_genes,
            seed=config.seed,
        )
        return _by_split(
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


def _by_split(split_of_gene: np.ndarray, **columns: np.ndarray) -> dict[str, Columns]:
    return {
        split: {name: values[split_of_gene == split] for name, values in columns.items()}
        for split in SPLITS
    }
