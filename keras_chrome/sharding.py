"""One XLA program a CPU core: a batch cut into equal shards.

XLA runs the small operations of a recurrence one after the other, on one core. Two programs on
half the batch each keep two cores busy.
"""

import os

import tensorflow as tf

# Fewer genes than this in a shard leave its matrix products too small to be worth a core.
_MIN_SHARD_SIZE = 8


def split_batch(batch: tf.Tensor) -> list[tf.Tensor]:
    """Cut a batch of static size into equal shards, at most one a core; on a GPU it stays whole."""
    return tf.split(batch, num_shards(batch.shape[0]))


def num_shards(batch_size: int) -> int:
    """Number of equal shards of a batch."""
    if tf.config.list_physical_devices("GPU"):
        return 1
    most = min(os.cpu_count() or 1, batch_size // _MIN_SHARD_SIZE)
    return next((n for n in range(most, 1, -1) if batch_size % n == 0), 1)
