"""What a source is given to read its files, and what it makes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from ..expression_elsewhere import ExpressionElsewhere
from ..own_data import FileReader
from ..published import SPLITS
from ..quality import Quality

Columns = dict[str, np.ndarray]
"""One array over genes for each feature."""


class Inputs(NamedTuple):
    """How a source comes by its files.

    Attributes:
        download_manager: Of the build.
        read_files: Reads several files of reads or tracks at once; None to read one after the
            other.
    """

    download_manager: tfds.download.DownloadManager
    read_files: FileReader | None = None

    @property
    def manual_dir(self) -> Path | None:
        """Folder of files that were fetched by hand; None if it is empty or not there."""
        try:
            return Path(self.download_manager.manual_dir)
        except AssertionError:  # TFDS's word for it.
            return None

    @property
    def download_dir(self) -> Path:
        """Folder of the downloads."""
        return Path(self.download_manager.download_dir)


@dataclasses.dataclass(frozen=True)
class Examples:
    """All examples of a dataset, and what is known of them.

    Attributes:
        columns_of: Columns by split.
        metadata: What the dataset's metadata hold beside its options.
        quality: What the signal looks like; None if it is simulated.
        warnings: A line on each thing that a user should know.
        elsewhere: Expression in other epigenomes by gene id; empty if nothing is known of it.
    """

    columns_of: Mapping[str, Columns]
    metadata: Mapping[str, Any]
    quality: Quality | None = None
    warnings: tuple[str, ...] = ()
    elsewhere: Mapping[str, ExpressionElsewhere] = dataclasses.field(default_factory=dict)


def by_split(split_of_gene: np.ndarray, **columns: np.ndarray) -> dict[str, Columns]:
    """Parts columns over all genes by the genes' splits.

    Args:
        split_of_gene: (genes,) str, one of `SPLITS`.
        **columns: (genes, ...), by feature.
    """
    return {
        split: {name: values[split_of_gene == split] for name, values in columns.items()}
        for split in SPLITS
    }
