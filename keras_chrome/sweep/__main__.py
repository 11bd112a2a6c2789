"""`python -m keras_chrome.sweep --models lstm --datasets remc/E012 --out-dir sweeps/a`."""

import dataclasses
from collections.abc import Sequence

from keras_chrome.command_line import parse_given, run_command
from keras_chrome.errors import InputError
from keras_chrome.fit.config import PRESETS, FitConfig, PresetOption
from keras_chrome.sweep.config import FIT_OPTIONS, SET_BY_SWEEP, SweepConfig
from keras_chrome.sweep.runs import sweep


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    config = _parse(argv)
    try:
        sweep(config)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on to what it would have been") from None


def _parse(argv: Sequence[str] | None) -> SweepConfig:
    given = parse_given(
        *(SweepConfig, PresetOption, FitConfig),
        argv=argv,
        prog="python -m keras_chrome.sweep",
        description="Train models x datasets x label rules x seeds, and rank the models. The same "
        "command again goes on where it was broken off.",
        leave_out=SET_BY_SWEEP - {field.name for field in dataclasses.fields(SweepConfig)},
    )
    fit_options = dict(PRESETS.get(given.pop("preset", None), {}))
    if "labels" in fit_options:
        given.setdefault("labels", (fit_options.pop("labels"),))
    for name in given.keys() & FIT_OPTIONS:
        fit_options[name] = given.pop(name)
    return SweepConfig(**given, fit_options=fit_options)


if __name__ == "__main__":
    run_command(main, InputError)
