"""Measure a training of each variant on one epigenome, and say what the paper's study costs.

A training takes a time once, to start, compile, predict and write, and a time an epoch. Both come
from two short trainings, of one epoch and of three, and what many long ones take is projected.
Trainings in a bank share its start: of these a round is what two rounds take less what one takes.
Written to docs/study.md.

    python benchmarks/study.py --dataset remc/E012 --data-dir DATA
    python benchmarks/study.py --dataset remc/E012 --data-dir DATA --preset paper
"""

import datetime
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from machine import cpu_model
from startup import Command, time_commands

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.fit.config import PRESETS, FitConfig
from keras_chrome.models.registry import VARIANTS
from keras_chrome.sweep.config import fits_bank
from keras_chrome.tables import markdown_table

HERE = Path(__file__).resolve().parent
# Of the paper's Table 2.
PAPER = (
    *("attentive_chrome", "lstm_alpha", "lstm_attn", "lstm"),
    *("deep_chrome", "cnn_attn", "cnn_alpha_beta"),
)
SHORT, LONG = 1, 3


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """What is measured, and how large the study is."""

    dataset: str = option("built dataset to train on", default="remc/E012")
    data_dir: Path | None = option(
        "where datasets were built; TFDS's default if left out", default=None
    )
    models: tuple[str, ...] = option("variants", default=PAPER, choices=tuple(VARIANTS))
    preset: str | None = option(
        "train as `fit --preset` does (default: each variant's own recipe)",
        default=None,
        choices=tuple(PRESETS),
    )
    epigenomes: int = option("of the study", default=56)
    seeds: int = option("of the study", default=5)
    cores: tuple[int, ...] = option("machines to project to", default=(16, 64), metavar="N")
    bank: int = option("trainings that a bank has at once", default=4)
    out: Path = option("folder to write (default: docs)", default=HERE.parent / "docs")

    def __post_init__(self) -> None:
        for name in ("epigenomes", "seeds", "bank"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")

    @property
    def recipe(self) -> str:
        """What the trainings are called."""
        return self.preset or "default"

    def arguments(self) -> list[str]:
        """Options of every training."""
        preset = ["--preset", self.preset] if self.preset else []
        data_dir = ["--data-dir", str(self.data_dir.resolve())] if self.data_dir else []
        return [*preset, *data_dir]

    def config(self, model: str) -> FitConfig:
        """The options of a training as `fit` has them."""
        preset = PRESETS[self.preset] if self.preset else {}
        return FitConfig(**{**preset, "dataset": self.dataset, "model": model, "run_dir": "run"})


def measure(model: str, options: StudyOptions) -> dict[str, Any]:
    """Seconds of trainings of a variant, one alone and several in a bank."""
    config = options.config(model)
    fit = ["keras_chrome.fit", "--model", model, "--dataset", options.dataset, "--run-dir", "run"]
    row: dict[str, Any] = {"model": model, "epochs": config.recipe().epochs}
    row["alone_s"] = [_seconds(fit, epochs, options) for epochs in (SHORT, LONG)]
    if fits_bank(config):
        sweep = ["keras_chrome.sweep", "--models", model, "--datasets", options.dataset]
        sweep += ["--out-dir", "sweep", "--bank", str(options.bank), "--seeds"]
        seeds = [str(seed) for seed in range(2 * options.bank)]
        one_round = [*sweep, *seeds[: options.bank]]
        row["bank_s"] = [_seconds(one_round, epochs, options) for epochs in (SHORT, LONG)]
        row["two_rounds_s"] = _seconds([*sweep, *seeds], SHORT, options)
    print(json.dumps(row), flush=True)
    return row


def _seconds(command: Sequence[str], epochs: int, options: StudyOptions) -> float:
    """Of a command in a folder of its own, from its start to its end."""
    arguments = ["-m", *command, "--epochs", str(epochs), *options.arguments()]
    with tempfile.TemporaryDirectory() as folder:
        timed = Command([sys.executable, *arguments], Path(folder))
        return time_commands({"": timed}, repeats=1)[""].wall_s


def project(seconds: Sequence[float], epochs: int) -> float:
    """Seconds of so many epochs, of those of SHORT and of LONG."""
    short, long = seconds
    an_epoch = (long - short) / (LONG - SHORT)
    return short + (epochs - SHORT) * an_epoch


def _in_bank(row: dict[str, Any], bank: int) -> float | None:
    """Seconds of one of many trainings, without what a bank takes once to start and compile."""
    if "bank_s" not in row:
        return None
    once = 2 * row["bank_s"][0] - row["two_rounds_s"]
    return (project(row["bank_s"], row["epochs"]) - once) / bank


def section(measured: dict[str, Any]) -> str:
    """A section of docs/study.md."""
    size = measured["epigenomes"] * measured["seeds"]
    rows, alone_h, bank_h = [], 0.0, 0.0
    for row in measured["rows"]:
        alone_s = project(row["alone_s"], row["epochs"])
        bank_s = _in_bank(row, measured["bank"])
        alone_h += size * alone_s / 3600
        bank_h += size * (bank_s or alone_s) / 3600
        short, long = row["alone_s"]
        an_epoch = (long - short) / (LONG - SHORT)
        rows.append(
            {
                "variant": f"`{row['model']}`",
                "start and end, s": f"{short - SHORT * an_epoch:.1f}",
                "an epoch, s": f"{an_epoch:.2f}",
                "epochs": f"{row['epochs']}",
                "a training, s": f"{alone_s:.0f}",
                f"in a bank of {measured['bank']}, s": f"{bank_s:.0f}" if bank_s else "",
                f"{size} trainings, h": f"{size * alone_s / 3600:.1f}",
            }
        )
    here, total = measured["cores_here"], size * len(rows)
    projected = [
        {
            "": f"{number} cores" if number != here else f"{number} cores, this machine",
            "one after the other, h": f"{alone_h * here / number:.1f}",
            "with the bank, h": f"{bank_h * here / number:.1f}",
        }
        for number in sorted({here, *measured["cores"]})
    ]
    told = (
        "each variant's own recipe"
        if measured["recipe"] == "default"
        else (f"`--preset {measured['recipe']}`")
    )
    versions = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    return "\n".join(
        (
            f"## Trained with {told}\n",
            markdown_table(rows),
            "",
            f"**Projection** of {measured['epigenomes']} epigenomes x {len(rows)} variants x "
            f"{measured['seeds']} seeds, {total:,} trainings:\n",
            markdown_table(projected),
            "",
            f"{measured['date']}, {measured['cpu']}, {here} cores; {versions}; "
            f"`{measured['command']}`.\n",
        )
    )


_INTRODUCTION = """\
# What a study costs

What the paper's study, one model for each of 56 epigenomes and of seven variants, costs with five
seeds. Measured are whole commands on one epigenome, of one epoch and of three (`fit`, and `sweep
--bank` where a variant can be trained in a bank); all else is **projected**: as many epochs as the
recipe has at most, all epigenomes as large as this one, and on a machine of more cores as many
such processes side by side (`sweep --jobs`) as it has times the cores. On a GPU nothing has been
measured, so nothing is projected: the same command, run on one, measures there.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        StudyOptions,
        argv,
        prog="python benchmarks/study.py",
        description="Measure a training of each variant on one epigenome, and project what a "
        "study of many costs.",
    )
    preset = ["--preset", options.preset] if options.preset else []
    command = ["python", "benchmarks/study.py", "--dataset", options.dataset, *preset]
    measured = {
        "rows": [measure(model, options) for model in options.models],
        "epigenomes": options.epigenomes,
        "seeds": options.seeds,
        "cores": options.cores,
        "bank": options.bank,
        "recipe": options.recipe,
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cores_here": os.cpu_count(),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "command": shlex.join(command),
    }
    kept = options.out / "study.json"
    parts = json.loads(kept.read_text()) if kept.is_file() else {}
    parts[options.recipe] = measured
    kept.write_text(json.dumps(parts, indent=1) + "\n")
    text = "\n".join([_INTRODUCTION, *map(section, parts.values())])
    (options.out / "study.md").write_text(text)
    print(text)


if __name__ == "__main__":
    run_command(main, InputError)
