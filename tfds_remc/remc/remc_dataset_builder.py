"""The dataset `remc`: histone-mark signal around every gene's TSS, labelled by expression."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.utils import tqdm_utils

from . import beam
from .chromosomes import GENOMES, canonical_names
from .config import RemcConfig
from .epigenomes import EPIGENOMES
from .errors import InputError
from .expression import LABEL_RULE, MatchedExpression, label_high, read_expression
from .gene_table import GeneTable, read_gene_table
from .mark_quality import MarkFile
from .orientation import Orientation, measure_orientation
from .own_data import FileReader, OwnDataError, lay_regions, read_marks, split_by_gene
from .published import SPLITS, read_published
from .quality import Quality, measure_quality, share_of_genome
from .reads import ReadOptions
from .records import ReproducibleExampleWriter
from .samples import Sample, missing_marks, read_sample_sheet
from .signal_array import SignalArrayError
from .simulation import simulate
from .sources import (
    ARCHIVE,
    GENES_TSV,
    RPKM_TABLE,
    URLS,
    find_signal_files,
    find_sources,
    fingerprint,
)

Columns = dict[str, np.ndarray]
"""One array over genes for each feature."""


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
            source="simulated",
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
            raise InputError(
                f"Expected config to be one of {', '.join(self.builder_configs)}. "
                f"Received: config={config!r}."
            )
        self.quality: Quality | None = None
        """What the signal looks like, once it has been built in this process."""
        self.warnings: list[str] = []
        """A line on each thing that a user should know about what has been built."""
        self._read_files: FileReader | None = None
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
        if config.is_read:
            features["beyond_end"] = tfds.features.Tensor(shape=shape[:1], dtype=np.bool_)
        if config.tss == "transcript":
            features["transcript_id"] = tfds.features.Text()
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("signal", "label"),
            homepage="https://github.com/QData/AttentiveChrome",
            metadata=tfds.core.MetadataDict(
                marks=list(config.marks),
                num_bins=config.num_bins,
                bin_bp=config.bin_bp,
                flank_bp=config.flank_bp,
                genome="simulated" if config.is_simulated else config.genome or "unknown",
                source=config.source,
                epigenome=config.epigenome,
                label_rule=LABEL_RULE,
                options=config.options(),
            ),
        )

    def download_and_prepare(
        self, *, download_config: tfds.download.DownloadConfig | None = None, **kwargs: Any
    ) -> None:
        """Builds the dataset; see `tfds.core.DatasetBuilder`.

        Raises:
            InputError: If it is built already, with other options.
        """
        manual_dir = download_config and download_config.manual_dir
        if manual_dir and not Path(manual_dir).expanduser().is_dir():
            raise InputError(
                f"Expected manual_dir to be a folder. Received: manual_dir={str(manual_dir)!r}."
            )
        mode = (download_config or tfds.download.DownloadConfig()).download_mode
        self._read_files = self._beam_reader(download_config)
        if self.is_prepared() and not mode.overwrite_dataset:
            self._require_same_options()
        super().download_and_prepare(download_config=download_config, **kwargs)
        if self.quality is not None:
            write_quality(self.quality, Path(self.data_path), title=self.info.full_name)
            self.warnings += self.quality.warnings()
        for warning in self.warnings:
            logging.warning("%s", warning)

    def _beam_reader(
        self, download_config: tfds.download.DownloadConfig | None
    ) -> FileReader | None:
        """Reads the files with Beam where TFDS was given options of it, or a runner."""
        if not (download_config and (download_config.beam_options or download_config.beam_runner)):
            return None
        if not self.builder_config.is_read:
            raise InputError(
                "Expected options of Beam with a config that reads files of reads or tracks. "
                f"Received: config={self.builder_config.name!r}, which reads none. Leave them out."
            )
        return functools.partial(
            beam.read_signals,
            pipeline_options=download_config.beam_options,
            runner=download_config.beam_runner,
            work_dir=self.data_path.parent,
        )

    def _example_writer(self) -> ReproducibleExampleWriter:
        return ReproducibleExampleWriter(self.info.file_format)

    def _require_same_options(self) -> None:
        """Refuses to pass off what is built for what is asked for: TFDS looks at the name only."""
        config, built = self.builder_config, self.info.metadata
        recorded = {**built.get("options", {}), **built.get("provenance", {})}
        asked = {**config.options(), **config.provenance()}
        changed = [name for name, value in asked.items() if recorded.get(name) != value]
        if changed:
            raise InputError(
                f"Expected the options and files that {self.info.full_name} was built with in "
                f"{self.data_path}. Received: other {', '.join(changed)}. Give another name, or "
                "--overwrite to build it again."
            )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        config = self.builder_config
        if config.is_simulated:
            splits = self._simulated_splits()
        elif config.source == "published":
            splits = self._published_splits(dl_manager)
        elif config.source == "signal_array":
            splits = self._array_splits()
        else:
            splits = self._read_splits(dl_manager)
        if sizes := _chromosome_sizes(splits, config):
            self.info.metadata["chromosome_sizes"] = sizes
        return {split: self._generate_examples(columns) for split, columns in splits.items()}

    def _generate_examples(self, columns: Columns) -> Iterator[tuple[int, dict[str, Any]]]:
        for position in range(len(columns["gene_id"])):
            # The position is the key: a few gene ids stand twice.
            yield position, {name: values[position] for name, values in columns.items()}

    def _published_splits(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Columns]:
        config = self.builder_config
        sources = find_sources(dl_manager, _manual_dir(dl_manager), config.folder)
        assert sources.published is not None
        table = read_gene_table(sources.gene_table)
        expression = read_expression(sources.rpkm_table, config.epigenome)
        published = read_published(
            sources.published, config.folder, table.gene_id.tolist(), num_bins=config.num_bins
        )

        gene_id = np.concatenate([split.gene_id for split in published.values()])
        signal = np.concatenate([split.signal for split in published.values()])
        rows = table.rows_of(gene_id.tolist())
        rpkm = expression.rpkm(gene_id.tolist())
        label = label_high(rpkm, expression.median_rpkm)
        orientation = self._orientation(signal, table.strand[rows])
        is_oriented = orientation.direction != "genome"
        if orientation.direction == "against transcription":
            signal = signal[:, ::-1]
        split_of_gene = np.repeat(SPLITS, [len(split.gene_id) for split in published.values()])
        genes_without_rpkm = {
            split: int(np.isnan(rpkm[split_of_gene == split]).sum()) for split in SPLITS
        }
        self.quality = measure_quality(
            signal,
            config.marks,
            table.strand[rows],
            flank_bp=config.flank_bp,
            bin_bp=config.bin_bp,
            is_oriented=is_oriented,
            label=label,
            expression=expression.match(gene_id.tolist()),
        )
        logging.info("The published bins run in this direction: %s.", orientation)
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
            label=label,
            label_published=np.concatenate([split.label for split in published.values()]),
            oriented=np.full(len(gene_id), is_oriented),
        )

    def _read_splits(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Columns]:
        config = self.builder_config
        samples, gene_table, expression_table = self._read_sources(dl_manager)
        expression = read_expression(expression_table, config.epigenome, unit=config.unit)
        regions = lay_regions(
            read_gene_table(gene_table, tss=config.tss, biotype=config.biotype),
            flank_bp=config.flank_bp,
            bin_bp=config.bin_bp,
            edges=config.edges,
            genome=config.genome,
        )
        matched = expression.match(regions.genes.gene_id.tolist())
        reading = read_marks(
            samples,
            regions.bins,
            ReadOptions(
                position=config.position,
                extend_bp=config.extend_bp,
                min_mapq=config.min_mapq,
                genome=config.genome or None,
            ),
            normalize=config.normalize,
            subtract_control=config.subtract_control,
            read_files=self._read_files,
        )
        # This is what takes time: the bars of TFDS itself start where it ends.
        bar = tqdm_utils.tqdm(
            reading, desc="Reading marks...", unit=" marks", total=len(samples), leave=False
        )
        marks = list(bar)
        of_marks = dict.fromkeys(warning for mark in marks for warning in mark.warnings())
        self.warnings += [*regions.warnings, *of_marks]
        if expression.num_repeated:
            self.warnings.append(
                f"{expression_table.name}: {expression.num_repeated:,} lines left out that repeat "
                "another"
            )
        files = {"genes": gene_table, "expression": expression_table}
        files |= {sample.mark: sample.path for sample in samples}
        if config.subtract_control:
            files |= {f"{s.mark} control": s.control for s in samples if s.control}
        self.info.metadata["provenance"] = {
            **{what: {"file": path.name, **fingerprint(path)} for what, path in files.items()},
            **config.provenance(),
        }
        return self._own_splits(
            signal=np.stack([mark.values for mark in marks], axis=-1),
            genes=regions.genes,
            matched=matched,
            median_rpkm=expression.median_rpkm,
            quality={
                "files": {m.sample.mark: MarkFile(m.sample.path, m.source) for m in marks},
                "genes_left_out": regions.genes.left_out,
                "region_share": (
                    share_of_genome(regions.bins, config.genome) if config.genome else None
                ),
            },
            beyond_end=regions.is_beyond,
        )

    def _read_sources(
        self, dl_manager: tfds.download.DownloadManager
    ) -> tuple[list[Sample], Path, Path]:
        """Finds the files of the marks, of the genes and of their expression."""
        config = self.builder_config
        if config.source == "sample_sheet":
            sheet = Path(config.sample_sheet)
            if missing := missing_marks(read_sample_sheet(sheet), config.epigenome):
                self.warnings.append(
                    f"{config.epigenome} has no {', '.join(missing)}, which other epigenomes of "
                    f"{sheet.name} have"
                )
            sample_of = {sample.mark: sample for sample in config.samples()}
            samples = [sample_of[mark] for mark in config.marks]
            return samples, Path(config.genes), Path(config.expression)
        manual_dir = _manual_dir(dl_manager)
        sources = find_sources(dl_manager, manual_dir)
        files = find_signal_files(
            config.source,
            config.epigenome,
            [*config.marks, *(["Input"] if config.subtract_control else [])],
            manual_dir=manual_dir,
            download_dir=Path(dl_manager.download_dir),
        )
        samples = [
            Sample(config.epigenome, mark, files[mark], files.get("Input")) for mark in config.marks
        ]
        return samples, sources.gene_table, sources.rpkm_table

    def _array_splits(self) -> dict[str, Columns]:
        config = self.builder_config
        array = config.array()
        if array.signal.shape[1] != config.num_bins:
            raise SignalArrayError(
                f"Expected {config.num_bins} bins, as flank_bp={config.flank_bp} and "
                f"bin_bp={config.bin_bp} have, in {config.signal_array}. "
                f"Received: {array.signal.shape[1]}. Give the flank_bp and bin_bp of the array."
            )
        gene_id = array.genes.gene_id.tolist()
        if config.expression:
            expression = read_expression(
                Path(config.expression), config.epigenome, unit=config.unit
            )
            matched, median_rpkm = expression.match(gene_id), expression.median_rpkm
        elif array.rpkm is None or np.isnan(array.rpkm).all():
            raise SignalArrayError(
                f"Expected the array rpkm in {config.signal_array}, or an expression table. "
                "Received: neither."
            )
        else:
            num_unknown = int(np.isnan(array.rpkm).sum())
            matched = MatchedExpression(array.rpkm, 0, num_unknown, 0)
            median_rpkm = float(np.nanmedian(array.rpkm))
        self.info.metadata["provenance"] = config.provenance()
        return self._own_splits(
            signal=array.signal[..., [array.marks.index(mark) for mark in config.marks]],
            genes=array.genes,
            matched=matched,
            median_rpkm=median_rpkm,
            split=array.split,
        )

    def _own_splits(
        self,
        *,
        signal: np.ndarray,
        genes: GeneTable,
        matched: MatchedExpression,
        median_rpkm: float,
        split: np.ndarray | None = None,
        quality: Mapping[str, Any] | None = None,
        **columns: np.ndarray,
    ) -> dict[str, Columns]:
        """The examples of own data, in genome orientation and without published labels."""
        config = self.builder_config
        num_genes = len(genes.gene_id)
        label = label_high(matched.rpkm, median_rpkm)
        self.quality = measure_quality(
            signal,
            config.marks,
            genes.strand,
            flank_bp=config.flank_bp,
            bin_bp=config.bin_bp,
            label=label,
            expression=matched,
            **(quality or {}),
        )
        if split is None:
            split = split_by_gene(genes.gene_id.tolist(), config.seed)
        if empty := set(SPLITS).difference(split.tolist()):
            raise OwnDataError(
                f"Expected genes in each of {', '.join(SPLITS)}. Received: none in "
                f"{', '.join(sorted(empty))}, of {num_genes} gene regions. Give more genes, or "
                "another seed of the splits."
            )
        if config.tss == "transcript":
            columns["transcript_id"] = genes.transcript_id
        self.info.metadata.update(
            median_rpkm=median_rpkm,
            oriented=False,
            genes_without_rpkm={s: int(np.isnan(matched.rpkm[split == s]).sum()) for s in SPLITS},
        )
        return _by_split(
            split,
            signal=signal,
            gene_id=genes.gene_id,
            symbol=genes.symbol,
            chrom=genes.chrom,
            tss=genes.tss,
            strand=genes.strand,
            rpkm=matched.rpkm.astype(np.float32),
            label=label,
            label_published=np.full(num_genes, -1),
            oriented=np.full(num_genes, False),
            **columns,
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


def write_quality(quality: Quality, data_path: Path, *, title: str) -> None:
    """Writes what was measured of the signal into the folder `quality` beside the records."""
    # Only here: importing Matplotlib takes time that most uses of a dataset need not spend.
    from .quality_figure import draw_quality

    folder = data_path / "quality"
    folder.mkdir(exist_ok=True)
    (folder / "quality.json").write_text(json.dumps(quality.as_dict(), indent=2) + "\n")
    (folder / "summary.txt").write_text(quality.summary() + "\n")
    figure = draw_quality(quality, title=title)
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"tss_profiles.{suffix}")


def _chromosome_sizes(splits: Mapping[str, Columns], config: RemcConfig) -> dict[str, int]:
    """Sizes of the genes' chromosomes, as far as they are known, by the genes' names of them.

    The simulated chromosomes end with their last gene region.
    """
    chrom = np.concatenate([columns["chrom"] for columns in splits.values()])
    tss = np.concatenate([columns["tss"] for columns in splits.values()])
    names = sorted(set(chrom.tolist()) - {""})
    if config.is_simulated:
        return {name: int(tss[chrom == name].max()) + config.flank_bp for name in names}
    known = GENOMES.get(config.genome, {})
    # One by one: how names are to be read together is for what reads files to say.
    canonical = {name: canonical_names([name], "the genes")[name] for name in names}
    return {name: known[canonical[name]] for name in names if canonical[name] in known}


def _manual_dir(dl_manager: tfds.download.DownloadManager) -> Path | None:
    try:
        return Path(dl_manager.manual_dir)
    except AssertionError:  # TFDS's word for a folder that is empty or not there.
        return None


def _by_split(split_of_gene: np.ndarray, **columns: np.ndarray) -> dict[str, Columns]:
    return {
        split: {name: values[split_of_gene == split] for name, values in columns.items()}
        for split in SPLITS
    }
