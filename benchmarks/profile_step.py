"""Where a training step spends its time: XLA's kernels, by the time all threads spend in them.

python benchmarks/profile_step.py --batch-size 64
"""

import argparse
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def kernel_times(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Milliseconds and calls of each kernel in the profile that a folder holds.

    Kernels of one name but for its number, as in `MatMul.22`, count as one.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    milliseconds: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for path in folder.rglob("*.xplane.pb"):
        for plane in xplane_pb2.XSpace.FromString(path.read_bytes()).planes:
            names = {i: metadata.name for i, metadata in plane.stat_metadata.items()}
            for event in (event for line in plane.lines for event in line.events):
                # Everything else, such as TensorFlow's own threads, is no operation of XLA.
                if any(names[stat.metadata_id] == "hlo_op" for stat in event.stats):
                    kernel = re.sub(r"\.\d+$", "", plane.event_metadata[event.metadata_id].name)
                    milliseconds[kernel] += event.duration_ps / 1e9
                    calls[kernel] += 1
    return milliseconds, calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--bins", type=int, default=100)
    parser.add_argument("--marks", type=int, default=5)
    parser.add_argument("--kernels", type=int, default=25, help="so many (default: 25)")
    given = parser.parse_args()

    import tensorflow as tf
    from keras_sides import KerasChrome
    from sides import Setting

    steps = KerasChrome().training(Setting(given.batch_size, given.bins, given.marks))
    steps.run()
    with tempfile.TemporaryDirectory() as folder:
        # Level 3 is the one that records single kernels.
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
        with tf.profiler.experimental.Profile(folder, options):
            steps.run()
        milliseconds, calls = kernel_times(Path(folder))
    total = milliseconds.total()
    print(
        f"batch {given.batch_size}, {given.bins} bins, {given.marks} marks: "
        f"{total / steps.num_steps:.1f} ms a step over all threads, with the profiler's own cost"
    )
    print(f"{'kernel':<44} {'ms':>8} {'share':>6} {'calls':>7}")
    for kernel, spent in milliseconds.most_common(given.kernels):
        print(
            f"{kernel:<44} {spent / steps.num_steps:8.2f} {spent / total:6.1%} "
            f"{calls[kernel] / steps.num_steps:7.0f}"
        )


if __name__ == "__main__":
    main()
