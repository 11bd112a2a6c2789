"""The dataset `remc`: histone-mark signal around every gene's TSS, labelled by expression."""

# TFDS has no types.
# mypy: allow-subclassing-any

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from . import beam
from .chromosomes import GENOMES, canonical_name
from .epigenomes import EPIGENOMES
from .errors import InputError, require_known
from .expression import LABEL_RULES, label_warnings
from .expression_elsewhere import ExpressionElsewhere, write_expression_elsewhere
from .find_files import ARCHIVE, GENES_TSV, RPKM_TABLE, URLS
from .overlap import measure_overlap
from .own_data import FileReader
from .progress import counted, in_place_of_tfds
from .quality import Quality
from .records import ReproducibleExampleWriter
from .sources import PublishedConfig, ReadingConfig, RemcConfig, SimulatedConfig
from .sources.examples import Columns, Examples, Inputs
from .split_balance import measure_split_balance
from .unfinished import DamagedDatasetError, only_build


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
        SimulatedConfig(
            name="demo",
            description="Simulated, with the planted truth beside the signal.",
        ),
        *(
            PublishedConfig(
                name=epigenome.eid,
                description=f"{epigenome.name} ({epigenome.group}).",
                epigenome=epigenome.eid,
            )
            for epigenome in EPIGENOMES.values()
        ),
        PublishedConfig(
            name="Toy",
            description="The 30 genes of E003 that come with the authors' code.",
            epigenome="E003",
            folder="Toy",
        ),
    ]
    DEFAULT_BUILDER_CONFIG_NAME = "E003"
    # TFDS calls it with the fields of a config that is given as JSON, and would take the class of
    # BUILDER_CONFIGS, were it only one.
    builder_config_cls = RemcConfig

    def __init__(self, *, config: str | RemcConfig | None = None, **kwargs: Any) -> None:
        """Creates the builder; see `tfds.core.DatasetBuilder`.

        Raises:
            DamagedDatasetError: If the dataset is built, and what tells of it is damaged.
            InputError: If the config is not known, or its name is not free.
        """
        if isinstance(config, str):
            require_known("config", config.split(":")[0], self.builder_configs)
        elif config is not None and self.builder_configs.get(config.name, config) is not config:
            raise InputError(
                f"Expected a name that no ready-made dataset has. Received: name={config.name!r}."
            )
        self.quality: Quality | None = None
        """What the signal looks like, once it has been built in this process."""
        self.warnings: list[str] = []
        """A line on each thing that a user should know about what has been built."""
        self._read_files: FileReader | None = None
        self._elsewhere: Mapping[str, ExpressionElsewhere] = {}
        self._gene_ids: set[str] = set()
        try:
            super().__init__(config=config, **kwargs)
            if self.data_path.exists():
                _ = self.info.splits["train"], self.info.metadata  # Read when they are asked for.
        except Exception as error:  # Of TFDS, and of what reads what is built.
            built = self.__dict__.get("_data_dir")
            if built is None or not Path(built).exists():
                raise
            raise DamagedDatasetError(Path(built), error) from None

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        features = {
            "signal": tfds.features.Tensor(
                shape=(config.num_bins, len(config.marks)), dtype=np.float32
            ),
            "gene_id": tfds.features.Text(),
            "symbol": tfds.features.Text(),
            "chrom": tfds.features.Text(),
            "tss": np.int64,
            "strand": tfds.features.Text(),
            "rpkm": np.float32,
            "label": tfds.features.ClassLabel(names=["low", "high"]),
            "label_published": np.int64,
            "oriented": np.bool_,
            **config.features(),
        }
        info = self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("signal", "label"),
            homepage="https://github.com/QData/AttentiveChrome",
            metadata=tfds.core.MetadataDict(
                marks=list(config.marks),
                num_bins=config.num_bins,
                bin_bp=config.bin_bp,
                flank_bp=config.flank_bp,
                genome=config.genome or "unknown",
                source=config.source,
                epigenome=config.epigenome,
                label_rule=LABEL_RULES[config.median_over],
                unit=config.unit,
                options=config.options(),
            ),
        )
        # TFDS asks its bucket, which holds none of these datasets, and at each question leaves an
        # empty folder among the temporary files.
        info.initialize_from_bucket = lambda: None
        return info

    def download_and_prepare(
        self, *, download_config: tfds.download.DownloadConfig | None = None, **kwargs: Any
    ) -> None:
        """Builds the dataset; see `tfds.core.DatasetBuilder`.

        Raises:
            InputError: If it is built already, with other options; or at this moment, by another
                process.
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
            return
        with only_build(Path(self.data_path).parent, self.info.full_name):
            super().download_and_prepare(download_config=download_config, **kwargs)
        for warning in self.warnings:
            logging.warning("%s", warning)

    def _download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Writes what stands beside the records, too, before TFDS gives the folder its name."""
        with in_place_of_tfds():
            super()._download_and_prepare(*args, **kwargs)
        folder = Path(self.data_dir)
        if self.quality is not None:
            # Only here: importing Matplotlib takes time that most uses of a dataset need not spend.
            from .quality_figure import write_quality

            write_quality(self.quality, folder, title=self.info.full_name)
            self.warnings += self.quality.warnings()
        if self._elsewhere:
            write_expression_elsewhere(self._elsewhere, self._gene_ids, folder)

    def _beam_reader(
        self, download_config: tfds.download.DownloadConfig | None
    ) -> FileReader | None:
        """Reads the files with Beam where TFDS was given options of it, or a runner."""
        if not (download_config and (download_config.beam_options or download_config.beam_runner)):
            return None
        if not isinstance(self.builder_config, ReadingConfig):
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
        # What is older than an option was built as its default has it; labels were by the table.
        defaults = {field.name: field.default for field in dataclasses.fields(config)}
        recorded = defaults | {"median_over": "table"} | built.get("options", {})
        recorded |= built.get("provenance", {})
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
        examples = config.examples(Inputs(dl_manager, self._read_files))
        self.info.metadata.update(examples.metadata)
        self._elsewhere = examples.elsewhere
        for columns in examples.columns_of.values():
            self._gene_ids.update(columns["gene_id"].tolist())
        self.warnings += [*config.warnings, *examples.warnings, *self._split_warnings(examples)]
        if self.quality and self.quality.agreement:
            self.info.metadata["overlap_agreement"] = self.quality.agreement.as_metadata()
        known = examples.metadata.get("chromosome_sizes")
        if sizes := known or _chromosome_sizes(examples.columns_of, config.genome):
            self.info.metadata["chromosome_sizes"] = sizes
        return {
            split: self._generate_examples(split, columns)
            for split, columns in examples.columns_of.items()
        }

    def _split_warnings(self, examples: Examples) -> Iterator[str]:
        """Looks at labels and neighbours across splits, and keeps the quality with the latter."""
        config, columns_of = self.builder_config, examples.columns_of
        label, chrom, tss, gene_id = (
            np.concatenate([columns[name] for columns in columns_of.values()])
            for name in ("label", "chrom", "tss", "gene_id")
        )
        split = np.repeat([*columns_of], [len(columns["tss"]) for columns in columns_of.values()])
        of_labels = label_warnings(
            label, split, median_rpkm=examples.metadata["median_rpkm"], unit=config.unit
        )
        if uneven := list(of_labels):
            yield from uneven
            if config.options().get("median_over") == "table":
                yield "--median-over genes labels by the median of the dataset's genes"
        overlap = measure_overlap(chrom, tss, split, flank_bp=config.flank_bp)
        balance = measure_split_balance(label, split, gene_id)
        if examples.quality is None:
            yield from balance.warnings()
            yield from overlap.warnings()
        else:
            self.quality = dataclasses.replace(examples.quality, overlap=overlap, balance=balance)

    def _generate_examples(
        self, split: str, columns: Columns
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        num_genes = len(columns["gene_id"])
        for position in counted(
            range(num_genes), f"writing {split}", unit="genes", total=num_genes
        ):
            # The position is the key: a few gene ids stand twice.
            yield position, {name: values[position] for name, values in columns.items()}


def _chromosome_sizes(columns_of: Mapping[str, Columns], genome: str) -> dict[str, int]:
    """Sizes of the genes' chromosomes, as far as they are known, by the genes' names of them."""
    chrom = np.concatenate([columns["chrom"] for columns in columns_of.values()])
    names = sorted(set(chrom.tolist()) - {""})
    known = GENOMES.get(genome, {})
    return {name: known[canonical_name(name)] for name in names if canonical_name(name) in known}
