"""`python -m tfds_remc`: what `tfds build remc` does, without apache-beam and its tracebacks.

The `tfds` command does not start where apache-beam is not installed. The options have its names,
and own data have options of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from absl import logging

from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.remc.beam import parse_pipeline_options
from tfds_remc.remc.published import SPLITS
from tfds_remc.remc.samples import read_sample_sheet

# Options of own data: the fields of RemcConfig by which they are described.
_OWN_DATA = {
    "sample_sheet": "CSV or TSV with the columns epigenome, mark, path and maybe control",
    "genes": "gene table (gene_id, chrom, tss, strand), GTF or GFF3",
    "expression": "expression table: gene_id, and a column an epigenome",
    "signal_array": ".npz file of signal that is binned already, in place of a sheet",
    "epigenome": "epigenome of the sheet (default: each in turn), or name of the array's",
    "name": "name of the dataset (default: that of the epigenome)",
    "marks": "marks to keep, in this order (default: all)",
    "flank_bp": "bp from the TSS to either end of a gene region",
    "bin_bp": "width of a bin in bp",
    "unit": "unit of the expression table: RPKM, FPKM, TPM or counts",
    "tss": "gene: a region a gene; transcript: one for each distinct TSS",
    "biotype": "genes of this biotype only, where the file has biotypes; all for every gene",
    "edges": "keep or drop regions that reach over an end of their chromosome",
    "genome": "hg19, hg38 or mm10: check the files' chromosomes against it",
    "position": "overlap or five_prime: where a read counts",
    "extend_bp": "extend reads to this length, from their 5' end",
    "min_mapq": "least mapping quality of a read in a BAM file",
    "normalize": "none, or cpm for counts per million reads",
    "subtract_control": "subtract each mark's control, scaled to its reads",
    "seed": "seed of the splits",
}


def build(
    config: str | RemcConfig,
    *,
    data_dir: Path | None = None,
    manual_dir: Path | None = None,
    download_dir: Path | None = None,
    file_format: str | None = None,
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
        ValueError: If the config is unknown, or if a file is missing or at fault.
    """
    beam_options = beam_pipeline_options and parse_pipeline_options(beam_pipeline_options)
    if overwrite:
        built = RemcBuilder(config=config, data_dir=data_dir)
        if built.is_prepared():
            built.data_path.rmtree()
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
        options: Fields of `RemcConfig`. With an epigenome among them, that one only.

    Raises:
        ValueError: If an option is at fault, or one name is given for several epigenomes.
    """
    if "sample_sheet" not in options or options.get("epigenome"):
        return [RemcConfig(**options)]
    samples = read_sample_sheet(Path(options["sample_sheet"]))
    epigenomes = list(dict.fromkeys(sample.epigenome for sample in samples))
    if "name" in options and len(epigenomes) > 1:
        raise ValueError(
            f"Expected an epigenome beside name={options['name']!r}, since the sheet has "
            f"{', '.join(epigenomes)}. Received: none."
        )
    return [RemcConfig(**{**options, "epigenome": epigenome}) for epigenome in epigenomes]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tfds_remc", description="Builds remc.")
    parser.add_argument(
        "--config", help="E003 ... E128, Toy or demo, or fields of a config as JSON (default: all)"
    )
    for name, what in (
        ("data_dir", "folder of the built datasets"),
        ("manual_dir", "folder of files that were fetched by hand"),
        ("download_dir", "folder of the downloads"),
    ):
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", type=Path, help=what)
    parser.add_argument("--file_format", "--file-format", choices=("tfrecord", "array_record"))
    parser.add_argument("--overwrite", action="store_true", help="build again what is built")
    parser.add_argument("--max_examples_per_split", "--max-examples-per-split", type=int)
    parser.add_argument(
        "--beam_pipeline_options",
        "--beam-pipeline-options",
        help="read files with Apache Beam: runner=DirectRunner,NAME=VALUE",
    )
    _add_own_data(parser)
    options = vars(parser.parse_args(argv))
    own = {name: options.pop(name) for name in _OWN_DATA if name in options}
    config = options.pop("config")
    try:
        for each in _configs(config, own):
            with _quietly():
                builder = build(each, **options)
            _report(builder)
    except (ValueError, OSError, tfds.download.DownloadError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


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
        print(f"\n{builder.quality.summary()}\n")
    for warning in builder.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    sizes = ", ".join(f"{split} {builder.info.splits[split].num_examples:,}" for split in SPLITS)
    print(f"{builder.info.full_name}: genes in {sizes} ({builder.data_dir})", flush=True)


def _add_own_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("own data", "A sample sheet or a signal array of your own.")
    defaults = {field.name: field.default for field in dataclasses.fields(RemcConfig)}
    for name, what in _OWN_DATA.items():
        default = defaults[name]
        kind: dict[str, Any] = {}
        if isinstance(default, bool):
            kind["action"] = "store_true"
        elif isinstance(default, tuple):
            kind["nargs"] = "+"
        elif isinstance(default, int) or name == "extend_bp":
            kind["type"] = int
        if default and not isinstance(default, bool):
            what += f" (default: {default})"
        group.add_argument(
            f"--{name.replace('_', '-')}", default=argparse.SUPPRESS, help=what, **kind
        )


def _configs(config: str | None, own: Mapping[str, Any]) -> Sequence[str | RemcConfig]:
    if own:
        if config:
            raise ValueError(
                f"Expected --config or options of own data. Received: config={config!r} and "
                f"{', '.join(own)}."
            )
        if not own.keys() & {"sample_sheet", "signal_array"}:
            raise ValueError(
                f"Expected --sample-sheet or --signal-array. Received: {', '.join(own)} without."
            )
        biotype = None if own.get("biotype") == "all" else own.get("biotype")
        return own_configs({**own, "biotype": biotype} if "biotype" in own else own)
    if config and config.startswith("{"):
        try:
            return own_configs(json.loads(config))
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError(
                f"Expected fields of a config as JSON. Received: config={config!r} ({error})."
            ) from None
    return [config] if config else list(RemcBuilder.builder_configs)


if __name__ == "__main__":
    sys.exit(main())
