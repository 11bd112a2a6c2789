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


def split_batch(batch: tf.Tensor, num_replicas: int = 1) -> list[tf.Tensor]:
    """Cut a batch of static size into equal shards; on a GPU it stays whole."""
    return list(tf.split(batch, num_shards(batch.shape[0], num_replicas)))


def num_shards(batch_size: int, num_replicas: int = 1) -> int:
    """Number of equal shards of a batch: at least one a core, if they are large enough.

    Args:
        batch_size: Genes, of all replicas together.
        num_replicas: Devices that share the batch, each of which has as many cores as this machine
            and takes as many shards; it divides the batch.
    """
    if tf.config.list_physical_devices("GPU"):
        return num_replicas
    least = max(num_replicas * num_programs(), math.ceil(batch_size / _MAX_SHARD_SIZE))
    most = max(num_replicas, batch_size // _MIN_SHARD_SIZE)
    divisors = [n for n in range(num_replicas, most + 1, num_replicas) if batch_size % n == 0]
    return next((n for n in divisors if n >= least), divisors[-1])


def num_programs() -> int:
    """Number of XLA programs that keep the machine busy: one a core, and one on a GPU."""
    return 1 if tf.config.list_physical_devices("GPU") else os.cpu_count() or 1
