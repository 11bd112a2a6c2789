"""One side in a process of its own: an epoch for each number on standard input, answers in JSON.

The first answer says that the side is built; the epoch -1 is a single step and one batch of
validation genes, which compiles.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from gpu_arrays import Arrays, read_arrays
from gpu_sides import Setting, Side, built_side


def epoch_of(side: Side, arrays: Arrays, setting: Setting, epoch: int) -> dict[str, Any]:
    """Train an epoch, then validate; the training is timed."""
    rows = rows_of_epoch(len(arrays.train_label), setting, max(epoch, 0))
    num_valid, batch_size = len(arrays.valid_label), setting.batch_size
    if epoch < 0:
        started = time.perf_counter()
        side.train(rows[:1])
        side.logit(np.zeros(batch_size, np.int32))
        return {"wall_s": time.perf_counter() - started}
    started = time.perf_counter()
    side.train(rows)
    wall_s = time.perf_counter() - started
    peak_bytes = side.peak_bytes()
    # The last batch is filled up with the first genes, so that one shape is compiled.
    around = np.arange(-(-num_valid // batch_size) * batch_size, dtype=np.int32) % num_valid
    logit = np.concatenate([side.logit(rows) for rows in around.reshape(-1, batch_size)])
    return {
        "wall_s": wall_s,
        "peak_bytes": peak_bytes,
        "auroc": auroc(arrays.valid_label, logit[:num_valid]),
        "num_genes": rows.size,
    }


def rows_of_epoch(num_genes: int, setting: Setting, epoch: int) -> np.ndarray:
    """Positions of genes, int32 `(steps, batch)`; who does not fill the last batch is left out."""
    order = np.random.default_rng([setting.seed, epoch]).permutation(num_genes)
    steps = num_genes // setting.batch_size
    return order[: steps * setting.batch_size].reshape(steps, -1).astype(np.int32)


def auroc(label: np.ndarray, logit: np.ndarray) -> float:
    """Share of the pairs of a high and a low gene that are in order; a tie is half of one.

    scikit-learn, which would know it, is not asked of a machine with a GPU.
    """
    low, high = np.sort(logit[label == 0]), logit[label == 1]
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / (2 * len(low)))


def main() -> None:
    arrays_path, setting = sys.argv[1], Setting(*json.loads(sys.argv[2]))
    # What a library prints to standard output is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        arrays = read_arrays(Path(arrays_path))
        with built_side(arrays, setting) as side:
            answer(device=side.device, versions=side.versions)
            for line in sys.stdin:
                answer(**epoch_of(side, arrays, setting, int(line)))
    except Exception as error:
        # The other sides go on without this one.
        summary = f"{type(error).__name__}: {' '.join(str(error).split())}"
        answer(error=summary[:200])


if __name__ == "__main__":
    main()
