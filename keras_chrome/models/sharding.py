"""One XLA program a CPU core: a batch cut into equal shards.

XLA runs the small operations of a recurrence one after the other, on one core. Two programs on
half the batch each keep two cores busy.
"""

import math
import os

import tensorflow as tf

# Fewer genes than this in a shard leave its matrix products too small to be worth a core; with more
# its states outgrow the cache and the memory that the allocator keeps.
_MIN_SHARD_SIZE = 8
_MAX_SHARD_SIZE = 64


def split_batch(batch: tf.Tensor) -> list[tf.Tensor]:
    """Cut a batch of static size into equal shards; on a GPU it stays whole."""
    return list(tf.split(batch, num_shards(batch.shape[0])))


def num_shards(batch_size: int) -> int:
    """Number of equal shards of a batch: at least one a core, if they are large enough."""
    if tf.config.list_physical_devices("GPU"):
        return 1
    least = max(num_programs(), math.ceil(batch_size / _MAX_SHARD_SIZE))
    most = max(1, batch_size // _MIN_SHARD_SIZE)
    divisors = [n for n in range(1, most + 1) if batch_size % n == 0]
    return next((n for n in divisors if n >= least), divisors[-1])


def num_programs() -> int:
    """Number of XLA programs that keep the machine busy: one a core, and one on a GPU."""
    return 1 if tf.config.list_physical_devices("GPU") else os.cpu_count() or 1
