"""`python -m keras_chrome.fit --dataset remc/E012 --run-dir runs/E012`."""

import argparse
import json
from collections.abc import Sequence

from keras_chrome.command_line import add_options, import_tensorflow_quietly, run_command
from keras_chrome.evaluate import metrics_table
from keras_chrome.fit.config import PRESETS, FitConfig
from keras_chrome.fit.job import fit


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.fit",
        description="Train a model on a built dataset and write a run directory.",
    )
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="take the defaults from here: paper is the published training; "
        "options given beside it still count",
    )
    add_options(parser, FitConfig)
    given = vars(parser.parse_args(argv))
    preset = given.pop("preset")
    config = FitConfig(**{**PRESETS.get(preset, {}), **given})
    import_tensorflow_quietly()
    run = fit(config)

    print(f"\n{metrics_table(json.loads((run.path / 'metrics.json').read_text()))}")
    print(f"\nrun directory: {run.path}")


if __name__ == "__main__":
    run_command(main)
