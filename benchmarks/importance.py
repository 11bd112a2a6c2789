"""How long the importance of a whole split takes, compilation included.

pip install 'keras-chrome[explain]'
python benchmarks/importance.py runs/E116 --methods alpha saliency integrated_gradients
"""

import argparse
import os
import platform
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Integrated gradients as most know them, beside the default of as many steps as a gene needs.
VERSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "integrated_gradients, 50 even steps": (
        "integrated_gradients",
        {"steps": 50, "tolerance": None, "share_remainder": False},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="run directory")
    parser.add_argument("--split", default="test")
    parser.add_argument("--genes", type=int, help="the first so many genes only")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["alpha", "saliency", "integrated_gradients", *VERSIONS],
    )
    given = parser.parse_args()

    import keras
    import tensorflow as tf

    from keras_chrome.importance import compute_importance
    from keras_chrome.importance.completeness import completeness
    from keras_chrome.runs import open_study

    study = open_study(given.run, split=given.split)
    signal, background = study.genes.signal[: given.genes], study.background()
    print(
        f"{study.run.model_name} on {study.dataset.name}: {len(signal)} genes; "
        f"{os.cpu_count()} x {platform.processor() or platform.machine()}, "
        f"{len(tf.config.list_physical_devices('GPU'))} GPUs, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}"
    )
    for name in given.methods:
        method, options = VERSIONS.get(name, (name, {}))
        started = time.perf_counter()
        importance = compute_importance(
            method, study.model, signal, background=background, **options
        )
        wall_s = time.perf_counter() - started
        line = f"{name}: {wall_s:.1f} s, {len(signal) / wall_s:.0f} genes a second"
        if method == "integrated_gradients":
            error = completeness(study.model, signal, importance).total_error
            line += f", completeness error {100 * error:.3f} %"
        print(line, flush=True)


if __name__ == "__main__":
    main()
