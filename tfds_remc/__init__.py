"""REMC histone-mark signal around every gene's TSS, packaged for TensorFlow Datasets.

Importing this package registers the dataset `remc`, so that `tfds build remc --imports tfds_remc`
and `tfds.load("remc/E003")` work from any directory.
"""

from tfds_remc.remc.remc_dataset_builder import Builder as RemcBuilder
from tfds_remc.remc.sources import RemcConfig

__all__ = ["RemcBuilder", "RemcConfig"]
