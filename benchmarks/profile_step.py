"""Where a training step spends its time: XLA's kernels, by the time all threads spend in them.

python benchmarks/profile_step.py --batch-size 64
"""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """What is trained, and what is shown of it."""

    batch_size: int = option("genes a step", default=64)
    bins: int = option("bins of a gene region", default=100)
    marks: int = option("marks", default=5)
    kernels: int = option("so many kernels are shown", default=25)


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


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        ProfileOptions,
        argv,
        prog="python benchmarks/profile_step.py",
        description="Where a training step spends its time: XLA's kernels, by the time all "
        "threads spend in them.",
    )

    import tensorflow as tf
    from keras_sides import KerasChrome
    from sides import Setting

    steps = KerasChrome().training(Setting(options.batch_size, options.bins, options.marks))
    steps.run()
    with tempfile.TemporaryDirectory() as folder:
        # Level 3 is the one that records single kernels.
        profiler_options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
        with tf.profiler.experimental.Profile(folder, profiler_options):
            steps.run()
        milliseconds, calls = kernel_times(Path(folder))
    total = milliseconds.total()
    print(
        f"batch {options.batch_size}, {options.bins} bins, {options.marks} marks: "
        f"{total / steps.num_steps:.1f} ms a step over all threads, with the profiler's own cost"
    )
    print(f"{'kernel':<44} {'ms':>8} {'share':>6} {'calls':>7}")
    for kernel, spent in milliseconds.most_common(options.kernels):
        print(
            f"{kernel:<44} {spent / steps.num_steps:8.2f} {spent / total:6.1%} "
            f"{calls[kernel] / steps.num_steps:7.0f}"
        )


if __name__ == "__main__":
    run_command(main, InputError)
