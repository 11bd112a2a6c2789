"""`python -m keras_chrome.fit --dataset remc/E012 --run-dir runs/E012`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_chrome.command_line import option, parse_given, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.evaluate import summary
from keras_chrome.fit.config import PRESETS, FitConfig, PresetOption, options_of, run_of
from keras_chrome.fit.job import fit, warn_of_other_data
from keras_chrome.fit.replicas import worker_of
from keras_chrome.runs import Run
from keras_chrome.runs.run import num_epochs_saved, read_metrics


@dataclass(frozen=True, kw_only=True)
class _RepeatOptions:
    from_config: Path | None = option(
        "repeat the run of this config.json: take its options, but for those that are given; "
        "--run-dir has to be",
        default=None,
        metavar="RUN/config.json",
    )
    dataset: str | None = option(
        "built dataset: remc/E012, E012 for short, or its folder; remc/E012+E123 for one model of "
        "several epigenomes, all for one of every dataset in --data-dir (required but with "
        "--from-config)",
        default=None,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    config, repeated = _parse(argv)
    quieten_tensorflow()
    if repeated is not None:
        warn_of_other_data(config, repeated)
    try:
        run = fit(config)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(Path(config.run_dir))) from None

    if worker_of(config.strategy):
        return  # The chief says it.
    print(f"\n{summary(read_metrics(run.path / 'metrics.json'))}")
    print(f"\nrun directory: {run.path}")


def _parse(argv: Sequence[str] | None) -> tuple[FitConfig, Run | None]:
    """The options, and the run that they repeat on the same dataset."""
    given = parse_given(
        *(_RepeatOptions, PresetOption, FitConfig),
        argv=argv,
        prog="python -m keras_chrome.fit",
        description="Train a model on a built dataset and write a run directory.",
    )
    file, preset = given.pop("from_config", None), given.pop("preset", None)
    if file is not None and preset is not None:
        raise InputError(
            f"Expected --from-config or --preset. Received: {file}, preset={preset!r}; take one"
        )
    options: dict[str, Any] = PRESETS.get(preset, {})
    if file is not None:
        options = options_of(file, given)
    elif "dataset" not in given:
        raise InputError("Expected --dataset, or --from-config RUN/config.json. Received: neither")
    config = FitConfig(**{**options, **given})
    if preset == "paper" and config.task != "classification":
        raise InputError(
            "Expected --task classification with --preset paper, the published training. "
            f"Received: task={config.task!r}; take --preset plain"
        )
    is_repeated = file is not None and "dataset" not in given
    return config, run_of(file) if is_repeated else None


def _how_to_go_on(run_dir: Path) -> str:
    if num_epochs := num_epochs_saved(run_dir):
        return (
            f"{run_dir} is saved as it was after epoch {num_epochs}, and the same "
            "command with --resume goes on from there to what it would have been"
        )
    if (run_dir / "config.json").exists():
        return "no epoch was over, and the same command with --resume begins anew"
    return "no epoch was over, and the same command begins anew"


if __name__ == "__main__":
    run_command(main, InputError)
