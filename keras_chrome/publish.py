"""Write a run as a folder that is ready to upload.

As a command: `python -m keras_chrome.publish RUN --to FOLDER`.
"""

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_chrome.atomic import unfinished
from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError, printable
from keras_chrome.runs import Run, open_run
from keras_chrome.runs.config import LOCAL_OPTIONS


def publish(
    run_dir: str | Path,
    to: str | Path,
    *,
    onnx: str | Path | None = None,
    licence: str = "other",
) -> Path:
    """Write a run's model, configuration, metrics and model card into a new folder.

    The card has what `python -m keras_chrome.faithfulness RUN` found, if it was run.

    Args:
        run_dir: A finished run of a network; a baseline is a pickle, which is not published.
        to: The folder; `load_model` takes it, here and where it is uploaded.
        onnx: A `model.onnx` of `python -m export --format onnx` to add.
        licence: Of the model, as Hugging Face names it, such as `cc-by-4.0`.

    Returns:
        The folder.

    Raises:
        InputError: If the run is not finished or no network, or the folder is there.
    """
    run, folder = open_run(run_dir), Path(to).expanduser()
    if [file.name for file in run.model_files] != ["model.keras"]:
        raise InputError(
            f"Expected a run of one network. Received: {run.path}, whose model is no model.keras; "
            "publish a variant, or an ensemble of variants"
        )
    if folder.exists():
        raise _NotNewError(folder)
    if not re.fullmatch(r"[\w.-]+", licence, re.ASCII):
        raise InputError(
            f"Expected the name of a licence, such as cc-by-4.0. Received: licence={licence!r}"
        )
    if onnx is not None and not (Path(onnx).suffix == ".onnx" and Path(onnx).is_file()):
        raise InputError(f"Expected a file that ends in .onnx. Received: onnx={str(onnx)!r}")
    run.load_model()  # It says what is wrong with it.
    metrics = run.metrics
    config = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    config["options"] = _without_paths(config["options"])
    for member in config["model"].get("ensemble", ()):
        member["run"] = Path(member["run"]).name
        member["options"] = _without_paths(member["options"])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(folder.parent) as new:
        shutil.copyfile(run.path / "model.keras", new / "model.keras")
        if onnx is not None:
            shutil.copyfile(onnx, new / "model.onnx")
        for name, value in (("config.json", config), ("metrics.json", metrics)):
            (new / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        (new / "README.md").write_text(model_card(run, metrics, licence), encoding="utf-8")
        files = sorted(new.iterdir())
        sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
        (new / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
        try:
            new.rename(folder)
        except OSError as error:
            # Another process was faster.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise _NotNewError(folder) from None
    return folder


def _without_paths(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a run, of which those that name files or runs keep the name alone."""
    kept = {name: value for name, value in options.items() if name not in LOCAL_OPTIONS}
    for name in ("init_from", "distill"):
        if kept.get(name):
            kept[name] = Path(kept[name]).name
    names = kept.get("dataset")
    if isinstance(names, str) and "/" in names:
        kept["dataset"] = None  # The name of the dataset itself has it.
    return kept


class _NotNewError(InputError):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"Expected a new folder. Received: to={str(folder)!r}; take another")


def _faithfulness(run: Run) -> str:
    """What was measured of the run's importance methods, under a heading of the card."""
    path = run.path / "faithfulness" / "faithfulness.md"
    if not path.is_file():
        return (
            "Not measured: `python -m keras_chrome.faithfulness RUN` before `publish` adds here "
            "which importance method to believe.\n"
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Expected {path} as `keras_chrome.faithfulness` writes it. Received: "
            f"{printable(error)}; run it again, or delete the file"
        ) from None
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in lines).strip() + "\n"


def model_card(run: Run, metrics: dict[str, Any], licence: str) -> str:
    """What a user of a model should know of it, as Markdown with Hugging Face's heading."""
    data = json.loads((run.path / "config.json").read_text(encoding="utf-8"))["dataset"]
    rows = []
    for split in ("valid", "test"):
        for name, value in metrics.get(split, {}).items():
            if isinstance(value, int | float):
                match metrics[split].get(f"{name}_ci95"):
                    case [int() | float() as low, int() | float() as high]:
                        interval = f"{low:.4f} to {high:.4f}"
                    case _:
                        interval = ""
                rows.append(f"| {split} | {name} | {value:.6g} | {interval} |")
    table = "\n".join(["| split | metric | value | 95 % interval |", "|---|---|---|---|", *rows])
    return f"""---
license: {licence}
library_name: keras
tags: [biology, epigenomics, histone-modification, gene-expression]
---
# {run.model_name}

Predicts gene expression ({run.task.name}) from {", ".join(run.marks)} around a TSS.

    import keras_chrome
    model = keras_chrome.load_model("FOLDER")

- Data: {data.get("name", "not trained here")}, {data.get("num_bins")} bins of \
{data.get("bin_bp")} bp, genome {data.get("genome") or "unknown"}. Its licence is that of the \
data's source: state it here before you upload.
- Split: {run.config.split}. Label rule: {run.labels}.
- Intended use: research on gene regulation. Not for clinical use.
- Limits: promoters alone, no DNA sequence, no contacts; other epigenomes, laboratories and units of
  signal were not measured unless said above.
- Cite: keras-chrome, and Singh et al., Attend and Predict, NeurIPS 2017.

## Metrics

{table}

## Which explanation to believe

{_faithfulness(run)}"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command."""

    run: Path = option("run directory", positional=True)
    to: Path = option("folder to write, which is not there yet")
    onnx: Path | None = option("model.onnx of `python -m export` to add", default=None)
    licence: str = option("of the model, such as cc-by-4.0", default="other")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.publish",
        description="Write a run as a folder ready to upload: model.keras, configuration, metrics, "
        "model card, SHA256SUMS.",
    )
    quieten_tensorflow()
    print(publish(given.run, given.to, onnx=given.onnx, licence=given.licence))


if __name__ == "__main__":
    run_command(main, InputError)
