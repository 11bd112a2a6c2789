"""`python -m tfds_remc`: what `tfds build remc` does, without apache-beam and its tracebacks.

The `tfds` command does not start where apache-beam is not installed. The options have its names,
and own data have options of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.command_line import (
    option,
    parse_given,
    quieten_tensorflow,
    run_command,
)
from tfds_remc.remc.beam import parse_pipeline_options
from tfds_remc.remc.errors import InputError
from tfds_remc.remc.published import SPLITS
from tfds_remc.remc.samples import read_sample_sheet
from tfds_remc.remc.sources import SampleSheetConfig, SignalArrayConfig
from tfds_remc.remc.unfinished import DamagedDatasetError, only_build, remove_dataset

__all__ = ["build"]

MISTAKES = (InputError, tfds.download.DownloadError, NonMatchingChecksumError)
"""What ends in one line: of ours, and of TFDS."""

# Of what is printed, in characters.
_WIDTH = 100

FileFormat = Literal["tfrecord", "array_record"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What to build, and where.

    Attributes:
        config: Name of a config, or fields of one as JSON; "" for every config.
        data_dir: As in `build`, like all that follow.
        manual_dir: See there.
        download_dir: See there.
        file_format: See there.
        overwrite: See there.
        max_examples_per_split: See there.
        beam_pipeline_options: See there.
    """

    config: str = option(
        "E003 ... E128, Toy or demo, or fields of a config as JSON (default: all)", default=""
    )
    data_dir: Path | None = option("folder of the built datasets", default=None)
    manual_dir: Path | None = option("folder of files that were fetched by hand", default=None)
    download_dir: Path | None = option("folder of the downloads", default=None)
    file_format: FileFormat | None = option("format of the records", default=None)
    overwrite: bool = option("build again what is built", default=False)
    max_examples_per_split: int | None = option("genes a split, for a try", default=None)
    beam_pipeline_options: str | None = option(
        "read files with Apache Beam: runner=DirectRunner,NAME=VALUE", default=None
    )


# Options of own data: of the fields of its two configs those that a command has, with their help.
_OWN_DATA = {
    "sample_sheet": "CSV or TSV: epigenome, mark, path, and maybe control and file_type",
    "genes": "gene table (gene_id, chrom, tss, strand), GTF or GFF3",
    "expression": "expression table: gene_id, and a column an epigenome",
    "signal_array": ".npz file of signal that is binned already, in place of a sheet",
    "epigenome": "epigenome of the sheet (default: each in turn), or name of the array's",
    "name": "name of the dataset (default: that of the epigenome)",
    "marks": "marks to keep, in this order (default: all)",
    "flank_bp": "bp from the TSS to either end of a gene region",
    "bin_bp": "width of a bin in bp",
    "unit": "unit of the expression table",
    "median_over": "what the median is over that parts high from low: the genes of the dataset, or "
    "the whole expression table",
    "tss": "gene: a region a gene; transcript: one for each distinct TSS",
    "biotype": "genes of this biotype only, where the file has biotypes; all for every gene",
    "edges": "keep or drop regions that reach over an end of their chromosome",
    "genome": "hg19, hg38 or mm10, or GRCh37 and so on: check the files' chromosomes against it, "
    "and know what keras_chrome.tracks needs, the assembly and the sizes of its chromosomes",
    "position": "where a read counts: in each bin it overlaps, or in that of its 5' end",
    "extend_bp": "extend reads to this length, from their 5' end",
    "fragments": "count proper pairs of reads in BAM files, each once, in place of reads",
    "min_mapq": "least mapping quality of a read in a BAM file",
    "normalize": "none, or cpm for counts per million reads",
    "subtract_control": "subtract each mark's control, scaled to its reads",
    "seed": "seed of the splits",
}


def _own_data_options() -> type:
    """A dataclass of the options of own data, with the types and defaults of its configs."""
    types: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for config_class in (SignalArrayConfig, SampleSheetConfig):
        types |= config_class.option_types()
        defaults |= {field.name: field.default for field in dataclasses.fields(config_class)}
    fields = []
    for name, help_text in _OWN_DATA.items():
        default = None if defaults[name] in (dataclasses.MISSING, "") else defaults[name]
        own = option(
            help_text, default=default, group="own data, of a sample sheet or a signal array"
        )
        fields.append((name, types[name], own))
    return dataclasses.make_dataclass("OwnDataOptions", fields)


def build(
    config: str | RemcConfig,
    *,
    data_dir: str | Path | None = None,
    manual_dir: str | Path | None = None,
    download_dir: str | Path | None = None,
    file_format: FileFormat | None = None,
    overwrite: bool = False,
    max_examples_per_split: int | None = None,
    beam_pipeline_options: str | None = None,
) -> RemcBuilder:
    """Builds one config of the dataset, or finds it already built.

    Args:
        config: Name of a config, "E003", or a config of your own.
        data_dir: Folder of the built datasets; TFDS's own unless given.
        manual_dir: Folder of files that were fetched by hand.
        download_dir: Folder of the downloads; `data_dir`/downloads unless given.
        file_format: "tfrecord" or "array_record".
        overwrite: Whether to build again what is built already.
        max_examples_per_split: Stop each split after this many genes.
        beam_pipeline_options: Read with Apache Beam: "runner=DirectRunner,NAME=VALUE".

    Returns:
        The builder, ready for `as_dataset`.

    Raises:
        InputError: If the config is unknown, or if a file is missing or at fault.
    """
    if max_examples_per_split is not None and max_examples_per_split < 1:
        raise InputError(
            "Expected max_examples_per_split of at least 1. Received: "
            f"max_examples_per_split={max_examples_per_split}."
        )
    beam_options = beam_pipeline_options and parse_pipeline_options(beam_pipeline_options)
    data_dir, manual_dir, download_dir = (
        path and Path(path).expanduser() for path in (data_dir, manual_dir, download_dir)
    )
    try:
        built = RemcBuilder(config=config, data_dir=data_dir)
    except DamagedDatasetError as error:
        if not overwrite:
            raise
        with only_build(error.path.parent, error.path.parent.name):
            remove_dataset(error.path)
        built = RemcBuilder(config=config, data_dir=data_dir)
    if built.is_prepared():
        if overwrite:
            with only_build(Path(built.data_path).parent, built.info.full_name):
                remove_dataset(Path(built.data_path))
        elif file_format not in (None, built.info.file_format.value):
            raise InputError(
                f"Expected file_format={built.info.file_format.value!r}, with which "
                f"{built.info.full_name} was built in {built.data_path}. Received: "
                f"file_format={file_format!r}. Give another data_dir, or --overwrite to build it "
                "again."
            )
    builder = RemcBuilder(config=config, data_dir=data_dir, file_format=file_format)
    builder.download_and_prepare(
        download_dir=download_dir,
        download_config=tfds.download.DownloadConfig(
            manual_dir=manual_dir,
            max_examples_per_split=max_examples_per_split,
            beam_options=beam_options,
        ),
    )
    return builder


def own_configs(options: Mapping[str, Any]) -> list[RemcConfig]:
    """Configs of own data, one for each epigenome of a sample sheet.

    Args:
        options: Options of `RemcConfig`. With an epigenome among them, that one only.

    Raises:
        InputError: If an option is at fault, or one name is given for several epigenomes.
    """
    sheet = options.get("sample_sheet")
    if not isinstance(sheet, (str, Path)) or options.get("epigenome"):
        return [RemcConfig(**options)]
    samples = read_sample_sheet(Path(sheet).expanduser())
    epigenomes = list(dict.fromkeys(sample.epigenome for sample in samples))
    if "name" in options and len(epigenomes) > 1:
        raise InputError(
            f"Expected an epigenome beside name={options['name']!r}, since the sheet has "
            f"{', '.join(epigenomes)}. Received: none."
        )
    return [RemcConfig(**{**options, "epigenome": epigenome}) for epigenome in epigenomes]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    given = parse_given(
        BuildOptions,
        _own_data_options(),
        argv=argv,
        prog="python -m tfds_remc",
        description="Build datasets of histone-mark signal around every gene's TSS.",
    )
    own = {name: given.pop(name) for name in _OWN_DATA if name in given}
    configs = _configs(given.pop("config", ""), own)
    quieten_tensorflow()
    # Its bars, of downloads, would be a line a second in a log.
    tfds.display_progress_bar(sys.stderr.isatty())
    for config in configs:
        with _quietly():
            builder = build(config, **given)
        _report(builder)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Mutes what TFDS prints and logs; `_report` has what the builder itself logs."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)


def _report(builder: RemcBuilder) -> None:
    if builder.quality:
        lines = builder.quality.summary().splitlines()
        figures = sorted((Path(builder.data_dir) / "quality").glob("*.png"))
        print("", *map(_wrapped, lines), "", *figures, "", sep="\n")
    for warning in builder.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    sizes = ", ".join(f"{split} {builder.info.splits[split].num_examples:,}" for split in SPLITS)
    print(f"{builder.info.full_name}: genes in {sizes} ({builder.data_dir})", flush=True)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _configs(config: str, own: Mapping[str, Any]) -> Sequence[str | RemcConfig]:
    if own:
        if config:
            raise InputError(
                f"Expected --config or options of own data. Received: config={config!r} and "
                f"{', '.join(own)}."
            )
        if not own.keys() & {"sample_sheet", "signal_array"}:
            raise InputError(
                f"Expected --sample-sheet or --signal-array. Received: {', '.join(own)} without."
            )
        return own_configs(own)
    if config.startswith("{"):
        try:
            fields = json.loads(config)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"Expected fields of a config as JSON. Received: config={config!r} ({error})."
            ) from None
        return own_configs(fields)
    return [config] if config else list(RemcBuilder.builder_configs)


if __name__ == "__main__":
    run_command(main, *MISTAKES)
