"""How long the importance of a whole split takes, compilation included.

pip install 'keras-chrome[explain]'
python benchmarks/importance.py runs/E116 --methods alpha saliency integrated_gradients
"""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Integrated gradients as most know them, beside the default of as many steps as a gene needs.
VERSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "integrated_gradients, 50 even steps": (
        "integrated_gradients",
        {"steps": 50, "tolerance": None, "share_remainder": False},
    ),
}


@dataclass(frozen=True, kw_only=True)
class ImportanceOptions:
    """What is computed for which genes."""

    run: Path = option("run directory", positional=True)
    split: str = option("its genes", default="test")
    genes: int | None = option("the first so many genes only", default=None)
    methods: tuple[str, ...] = option(
        "methods of explain, or one of the versions here",
        default=("alpha", "saliency", "integrated_gradients", *VERSIONS),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        ImportanceOptions,
        argv,
        prog="python benchmarks/importance.py",
        description="How long the importance of a whole split takes, compilation included.",
    )

    import keras
    import tensorflow as tf

    from keras_chrome.importance import compute_importance
    from keras_chrome.importance.completeness import completeness
    from keras_chrome.runs import open_study

    study = open_study(options.run, split=options.split)
    signal, background = study.genes.signal[: options.genes], study.background()
    print(
        f"{study.run.model_name} on {study.dataset.name}: {len(signal)} genes; "
        f"{os.cpu_count()} x {platform.processor() or platform.machine()}, "
        f"{len(tf.config.list_physical_devices('GPU'))} GPUs, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}"
    )
    for name in options.methods:
        method, arguments = VERSIONS.get(name, (name, {}))
        started = time.perf_counter()
        importance = compute_importance(
            method, study.model, signal, background=background, **arguments
        )
        wall_s = time.perf_counter() - started
        line = f"{name}: {wall_s:.1f} s, {len(signal) / wall_s:.0f} genes a second"
        if method == "integrated_gradients":
            error = completeness(study.model, signal, importance).total_error
            line += f", completeness error {100 * error:.3f} %"
        print(line, flush=True)


if __name__ == "__main__":
    run_command(main, InputError)
