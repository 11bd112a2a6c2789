"""`python -m tfds_remc`: what `tfds build remc` does, without apache-beam and its tracebacks.

The `tfds` command does not start where apache-beam is not installed. The options have its names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.remc.published import SPLITS


def build(
    config: str | RemcConfig,
    *,
    data_dir: Path | None = None,
    manual_dir: Path | None = None,
    download_dir: Path | None = None,
    file_format: str | None = None,
    overwrite: bool = False,
    max_examples_per_split: int | None = None,
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

    Returns:
        The builder, ready for `as_dataset`.

    Raises:
        ValueError: If the config is unknown, or if a file is missing or at fault.
    """
    if overwrite:
        built = RemcBuilder(config=config, data_dir=data_dir)
        if built.is_prepared():
            built.data_path.rmtree()
    builder = RemcBuilder(config=config, data_dir=data_dir, file_format=file_format)
    builder.download_and_prepare(
        download_dir=download_dir,
        download_config=tfds.download.DownloadConfig(
            manual_dir=manual_dir, max_examples_per_split=max_examples_per_split
        ),
    )
    return builder


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tfds_remc", description="Builds remc.")
    parser.add_argument("--config", help="E003 ... E128, Toy or demo (default: all, in turn)")
    for name, what in (
        ("data_dir", "folder of the built datasets"),
        ("manual_dir", "folder of files that were fetched by hand"),
        ("download_dir", "folder of the downloads"),
    ):
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", type=Path, help=what)
    parser.add_argument("--file_format", "--file-format", choices=("tfrecord", "array_record"))
    parser.add_argument("--overwrite", action="store_true", help="build again what is built")
    parser.add_argument("--max_examples_per_split", "--max-examples-per-split", type=int)
    options = vars(parser.parse_args(argv))
    config = options.pop("config")
    configs = [config] if config else list(RemcBuilder.builder_configs)
    try:
        for name in configs:
            builder = build(name, **options)
            sizes = ", ".join(
                f"{split} {builder.info.splits[split].num_examples:,}" for split in SPLITS
            )
            print(f"{builder.info.full_name}: genes in {sizes} ({builder.data_dir})")
    except (ValueError, OSError, tfds.download.DownloadError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
