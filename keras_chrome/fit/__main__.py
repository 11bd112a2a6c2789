"""`python -m keras_chrome.fit --dataset remc/E012 --run-dir runs/E012`."""

from collections.abc import Sequence

from keras_chrome.command_line import parse_given, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.evaluate import summary
from keras_chrome.fit.config import PRESETS, FitConfig, PresetOption
from keras_chrome.fit.job import fit
from keras_chrome.runs.run import read_metrics


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse_given(
        *(PresetOption, FitConfig),
        argv=argv,
        prog="python -m keras_chrome.fit",
        description="Train a model on a built dataset and write a run directory.",
    )
    preset = given.pop("preset", None)
    config = FitConfig(**{**PRESETS.get(preset, {}), **given})
    if preset == "paper" and config.task != "classification":
        raise InputError(
            "Expected --task classification with --preset paper, the published training. "
            f"Received: task={config.task!r}; take --preset plain"
        )
    quieten_tensorflow()
    run = fit(config)

    print(f"\n{summary(read_metrics(run.path / 'metrics.json'))}")
    print(f"\nrun directory: {run.path}")


if __name__ == "__main__":
    run_command(main, InputError)
