"""One side in a process of its own: answers each line on standard input, both in JSON.

It measures only when told to, so that several sides take turns on one machine.
"""

import json
import os
import resource
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from sides import Setting, Side, Steps, make_side


class Worker:
    """A side, with what it has built and compiled."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.built: dict[tuple[str, Setting], tuple[Steps, float]] = {}

    def turn(self, task: str, setting: list[int], turn_s: float) -> dict[str, float]:
        """Take steps for `turn_s` seconds, and at least once.

        Returns:
            `step_s`, seconds a step, and `first_call_s`, seconds of the very first call, which
            compiles.
        """
        key = (task, Setting(*setting))
        if key not in self.built:
            steps = getattr(self.side, task)(key[1])
            self.built[key] = steps, _seconds(steps)
        steps, first_call_s = self.built[key]
        # Caches are the other side's until now.
        steps.run()
        num_calls, elapsed_s = 0, 0.0
        while num_calls == 0 or elapsed_s < turn_s:
            elapsed_s += _seconds(steps)
            num_calls += 1
        return {
            "step_s": elapsed_s / (num_calls * steps.num_steps),
            "first_call_s": first_call_s,
        }

    def matrix_product(self, size: int, repeats: int) -> dict[str, float]:
        """The best of several products, in GFLOP/s."""
        steps = self.side.matrix_product(size)
        return {"gflops": 2 * size**3 / 1e9 / min(_seconds(steps) for _ in range(repeats))}

    def peak_memory(self) -> dict[str, float]:
        """The greatest resident set of this process so far, in MiB."""
        # Linux counts in KiB, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20}


def _seconds(steps: Steps) -> float:
    started = time.perf_counter()
    steps.run()
    return time.perf_counter() - started


def main() -> None:
    # What a library prints to standard output is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(make_side(sys.argv[1]))
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        answer = getattr(worker, request.pop("ask"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
