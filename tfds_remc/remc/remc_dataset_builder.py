"""The dataset `remc`: histone-mark signal around every gene's TSS, labelled by expression."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from .binning import RegionBins
from .chromosomes import GENOMES, canonical_names
from .epigenomes import EPIGENOMES, HELD_OUT_MARK, MARKS
from .expression import LABEL_RULE, Expression, label_high, read_expression
from .orientation import Orientation, measure_orientation
from .own_data import (
    NORMALIZATIONS,
    SignalArray,
    read_mark,
    read_signal_array,
    split_by_gene,
)
from .published import SPLITS, read_published
from .quality import MarkFile, Quality, measure_quality, share_of_genome
from .reads import ReadOptions
from .regions import GeneTable, check_chromosome_ends, count_bins, read_gene_table
from .samples import Sample, read_sample_sheet, samples_of
from .simulation import simulate
from .sources import (
    ARCHIVE,
    GENES_TSV,
    RPKM_TABLE,
    SIGNAL_FILES,
    URLS,
    find_signal_files,
    find_sources,
    fingerprint,
)

Columns = dict[str, np.ndarray]
"""One array over genes for each feature."""

ROADMAP_SOURCES = tuple(SIGNAL_FILES)
OWN_SOURCES = ("sample_sheet", "signal_array")
SOURCES = ("published", "simulated", *ROADMAP_SOURCES, *OWN_SOURCES)


@dataclasses.dataclass(eq=False, kw_only=True)
class RemcConfig(tfds.core.BuilderConfig):
    """What to build.

    Attributes:
        source: "published", the authors' archive; "simulated"; "alignments", Roadmap's consolidated
            reads; "fold_change" or "p_value", Roadmap's tracks of them against control;
            "sample_sheet" or "signal_array", own data, if one of them is given.
        epigenome: Roadmap id of the epigenome, "E003", or its name in the sample sheet; "" if
            simulated.
        folder: The epigenome's folder in the authors' archive; its id unless given.
        marks: Names of the marks, in the order of the signal's last axis; all that the source has
            unless given.
        bin_bp: Width of a bin.
        flank_bp: Distance from the gene region's start to the TSS.
        oriented: Whether the bins of the published file already run in the direction of
            transcription; None to measure it.
        num_genes: Genes to simulate.
        seed: Of the simulation, or of the splits of own data.
        sample_sheet: Own data: a sheet that says which file holds which mark, see `samples.py`.
        signal_array: Own data that are binned already, see `own_data.read_signal_array`.
        genes: Gene table, GTF or GFF3 of own reads.
        expression: Expression table of own reads, with a column named as the epigenome.
        unit: What its numbers are: RPKM, FPKM, TPM or counts.
        tss: "gene", a region a gene, or "transcript", one for each distinct TSS.
        biotype: Genes of this biotype only, where a GTF or GFF3 has biotypes; None for all.
        edges: "keep" or "drop" regions that reach over an end of their chromosome.
        genome: Genome of own data, such as "hg38", which files are checked against; "" for none.
        position: "overlap" or "five_prime": where a read counts, see `reads.ReadOptions`.
        extend_bp: Length that reads are extended to; None to leave them.
        min_mapq: Least mapping quality of a read in a BAM file.
        normalize: "none", or "cpm" for counts per million reads.
        subtract_control: Subtract each mark's control, scaled to its reads.
    """

    name: str = ""
    source: str = "published"
    epigenome: str = ""
    folder: str = ""
    marks: tuple[str, ...] = ()
    bin_bp: int = 100
    flank_bp: int = 5000
    oriented: bool | None = None
    num_genes: int = 3000
    seed: int = 0
    sample_sheet: str = ""
    signal_array: str = ""
    genes: str = ""
    expression: str = ""
    unit: str = "RPKM"
    tss: str = "gene"
    biotype: str | None = "protein_coding"
    edges: str = "keep"
    genome: str = ""
    position: str = "overlap"
    extend_bp: int | None = None
    min_mapq: int = 0
    normalize: str = "none"
    subtract_control: bool = False

    def __post_init__(self) -> None:
        if self.sample_sheet:
            self.source = "sample_sheet"
        elif self.signal_array:
            self.source = "signal_array"
        for option, known in (
            ("source", SOURCES),
            ("normalize", NORMALIZATIONS),
            ("genome", ("", *GENOMES)),
        ):
            if getattr(self, option) not in known:
                raise ValueError(_unknown(option, getattr(self, option), known))
        count_bins(flank_bp=self.flank_bp, bin_bp=self.bin_bp)
        self._check_files()
        if self.source in ("published", *ROADMAP_SOURCES):
            if self.epigenome not in EPIGENOMES:
                raise ValueError(_unknown("epigenome", self.epigenome, EPIGENOMES))
            self.folder = self.folder or self.epigenome
            self.genome = "hg19"
        self._choose_marks()
        # TFDS keeps the names of the ready-made configs for those.
        is_taken = self.source not in ("published", "simulated") and self.epigenome in EPIGENOMES
        self.name = self.name or (f"{self.epigenome}_{self.source}" if is_taken else self.epigenome)

    def _check_files(self) -> None:
        needed = ("sample_sheet", "genes", "expression") if self.source == "sample_sheet" else ()
        if missing := [option for option in needed if not getattr(self, option)]:
            raise ValueError(
                f"Expected {', '.join(needed)} of own reads. Received: no {', '.join(missing)}."
            )
        for option in ("sample_sheet", "signal_array", "genes", "expression"):
            if (path := getattr(self, option)) and not Path(path).is_file():
                raise ValueError(f"Expected a file. Received: {option}={path!r}, no such file.")

    def _choose_marks(self) -> None:
        """Take all marks of the source, or those that are asked for.

        Raises:
            ValueError: If one is not there, or the source's order cannot be changed.
        """
        if self.source == "sample_sheet":
            self.epigenome = self.samples()[0].epigenome
            known = tuple(sample.mark for sample in self.samples())
        elif self.source == "signal_array":
            known = self.array().marks
        elif self.source == "simulated":
            known = (*MARKS, HELD_OUT_MARK)
        else:
            known = MARKS
        marks = tuple(self.marks) or known
        if self.source in ("published", "simulated") and marks != known:
            raise ValueError(
                f"Expected the marks in the order {', '.join(known)}. "
                f"Received: marks={', '.join(marks)}."
            )
        for mark in marks:
            if self.source in OWN_SOURCES and mark not in known:
                raise ValueError(_unknown("mark", mark, known))
        self.marks = marks

    @property
    def num_bins(self) -> int:
        """Bins a gene region."""
        return count_bins(flank_bp=self.flank_bp, bin_bp=self.bin_bp)

    @property
    def is_simulated(self) -> bool:
        """Whether signal and expression are simulated."""
        return self.source == "simulated"

    @property
    def is_read(self) -> bool:
        """Whether the signal is read from files of reads or tracks."""
        return self.source in ("sample_sheet", *ROADMAP_SOURCES)

    def __str__(self) -> str:
        return self.name

    def samples(self) -> list[Sample]:
        """The samples of the epigenome in the sample sheet."""
        sheet = Path(self.sample_sheet)
        return samples_of(read_sample_sheet(sheet), self.epigenome, sheet.name)

    def array(self) -> SignalArray:
        """The array of own signal."""
        return read_signal_array(Path(self.signal_array))


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

    quality: Quality | None = None
    """What the signal looks like, once it has been built in this process."""

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
        if self.quality is not None:
            write_quality(self.quality, Path(self.data_path), title=self.info.full_name)
            for warning in self.quality.warnings():
                logging.warning("%s", warning)

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
            splits = self._read_splits(*self._read_sources(dl_manager))
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
            label=label_high(rpkm, expression.median_rpkm),
            expression=expression.match(gene_id.tolist()),
        )
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

    def _read_sources(
        self, dl_manager: tfds.download.DownloadManager
    ) -> tuple[list[Sample], GeneTable, Expression]:
        """What a dataset is read from: files of the marks, genes, their expression."""
        config = self.builder_config
        if config.source == "sample_sheet":
            gene_table, expression_table = Path(config.genes), Path(config.expression)
            by_mark = {sample.mark: sample for sample in config.samples()}
            samples = [by_mark[mark] for mark in config.marks]
        else:
            manual_dir = _manual_dir(dl_manager)
            sources = find_sources(dl_manager, manual_dir)
            gene_table, expression_table = sources.gene_table, sources.rpkm_table
            files = find_signal_files(
                config.source,
                config.epigenome,
                [*config.marks, *(["Input"] if config.subtract_control else [])],
                manual_dir=manual_dir,
                download_dir=Path(dl_manager.download_dir),
            )
            samples = [
                Sample(config.epigenome, mark, files[mark], files.get("Input"))
                for mark in config.marks
            ]
        genes = read_gene_table(gene_table, tss=config.tss, biotype=config.biotype)
        return samples, genes, read_expression(expression_table, config.epigenome, unit=config.unit)

    def _read_splits(
        self, samples: Sequence[Sample], genes: GeneTable, expression: Expression
    ) -> dict[str, Columns]:
        config = self.builder_config
        names = canonical_names(np.unique(genes.chrom).tolist(), "the gene table")
        genes = dataclasses.replace(genes, chrom=np.array([names[c] for c in genes.chrom.tolist()]))
        ends = check_chromosome_ends(
            genes,
            GENOMES.get(config.genome, {}),
            flank_bp=config.flank_bp,
            bin_bp=config.bin_bp,
            edges=config.edges,
        )
        left_out = {**genes.left_out}
        if ends.num_dropped:
            left_out["regions over an end of their chromosome"] = ends.num_dropped
        genes = genes.select(ends.is_kept)
        bins = RegionBins(genes.chrom, genes.tss - config.flank_bp, config.num_bins, config.bin_bp)
        options = ReadOptions(
            position=config.position,
            extend_bp=config.extend_bp,
            min_mapq=config.min_mapq,
            genome=config.genome or None,
        )
        marks = []
        for sample in samples:
            mark = read_mark(
                sample,
                bins,
                options,
                normalize=config.normalize,
                subtract_control=config.subtract_control,
            )
            for warning in mark.warnings():
                logging.warning("%s", warning)
            marks.append(mark)
        if num_kept := ends.num_over - ends.num_dropped:
            logging.warning(
                "%d regions reach over an end of their chromosome; the feature beyond_end marks "
                "those bins",
                num_kept,
            )
        return self._own_splits(
            signal=np.stack([mark.values for mark in marks], axis=-1),
            genes=genes,
            rpkm=expression.rpkm(genes.gene_id.tolist()),
            median_rpkm=expression.median_rpkm,
            split=split_by_gene(genes.gene_id.tolist(), config.seed),
            quality={
                "files": {m.sample.mark: MarkFile(m.sample.path, m.source) for m in marks},
                "expression": expression.match(genes.gene_id.tolist()),
                "genes_left_out": left_out,
                "region_share": share_of_genome(bins, config.genome) if config.genome else None,
            },
            beyond_end=ends.is_beyond,
        )

    def _array_splits(self) -> dict[str, Columns]:
        config = self.builder_config
        array = config.array()
        gene_id = array.genes.gene_id.tolist()
        if config.expression:
            expression = read_expression(Path(config.expression), config.epigenome)
            median_rpkm = expression.median_rpkm
        else:
            median_rpkm = float(np.nanmedian(array.rpkm))
        order = [array.marks.index(mark) for mark in config.marks]
        split = split_by_gene(gene_id, config.seed) if array.split is None else array.split
        return self._own_splits(
            signal=array.signal[..., order],
            genes=array.genes,
            rpkm=array.rpkm,
            median_rpkm=median_rpkm,
            split=split,
            quality={},
        )

    def _own_splits(
        self,
        *,
        signal: np.ndarray,
        genes: GeneTable,
        rpkm: np.ndarray,
        median_rpkm: float,
        split: np.ndarray,
        quality: Mapping[str, Any],
        **columns: np.ndarray,
    ) -> dict[str, Columns]:
        """The examples of own data, in genome orientation and without published labels."""
        config = self.builder_config
        num_genes = len(genes.gene_id)
        label = label_high(rpkm, median_rpkm)
        self.quality = measure_quality(
            signal,
            config.marks,
            genes.strand,
            flank_bp=config.flank_bp,
            bin_bp=config.bin_bp,
            label=label,
            **quality,
        )
        if config.tss == "transcript":
            columns["transcript_id"] = genes.transcript_id
        self.info.metadata.update(
            median_rpkm=median_rpkm,
            oriented=False,
            genes_without_rpkm={s: int(np.isnan(rpkm[split == s]).sum()) for s in SPLITS},
        )
        return _by_split(
            split,
            signal=signal,
            gene_id=genes.gene_id,
            symbol=genes.symbol,
            chrom=genes.chrom,
            tss=genes.tss,
            strand=genes.strand,
            rpkm=rpkm.astype(np.float32),
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
