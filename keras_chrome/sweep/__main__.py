"""`python -m keras_chrome.sweep --models lstm --datasets remc/E012 --out-dir sweeps/a`."""

import argparse
import signal
import sys
from collections.abc import Sequence

from keras_chrome.command_line import add_options, run_command
from keras_chrome.fit import PRESETS, FitConfig
from keras_chrome.sweep.config import _FIT_OPTIONS, _SET_BY_SWEEP, SweepConfig
from keras_chrome.sweep.runs import sweep


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    config = _parse(argv)
    # What a kill leaves is to be what Ctrl-C leaves: no process of a run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sweep(config)


def _parse(argv: Sequence[str] | None) -> SweepConfig:
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.sweep",
        description="Train models x datasets x label rules x seeds, and rank the models. The same "
        "command again goes on where it was broken off.",
    )
    add_options(parser, SweepConfig, leave_out=["fit_options"])
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="take the defaults of fit's options, which follow, from here",
    )
    add_options(parser, FitConfig, leave_out=_SET_BY_SWEEP)
    given = vars(parser.parse_args(argv))
    fit_options = dict(PRESETS.get(given.pop("preset"), {}))
    if "labels" in fit_options:
        given.setdefault("labels", (fit_options.pop("labels"),))
    for name in given.keys() & _FIT_OPTIONS:
        fit_options[name] = given.pop(name)
    return SweepConfig(**given, fit_options=fit_options)


if __name__ == "__main__":
    run_command(main)
