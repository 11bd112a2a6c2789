"""Command line of the export."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.all_runs import export_all
from export.formats import Format
from export.models_config import labels_text, write_models_config
from export.run import export_line, export_runs
from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command.

    Raises:
        InputError: If they do not go together.
    """

    runs: tuple[Path, ...] = option(
        "run directory; several become an ensemble", default=(), positional=True, metavar="RUN"
    )
    all: Path | None = option(
        "export every finished run below this folder, named for its epigenome; runs that differ in "
        "their seed alone become an ensemble",
        default=None,
        metavar="RUNS",
    )
    label: str | None = option(
        "export nothing; move a label of --name, as stable=3, to a version that is there",
        default=None,
        metavar="LABEL=VERSION",
    )
    models_dir: Path = option("folder of served models", aliases=["to", "out"], metavar="MODELS")
    name: str | None = option("name of the served model", default=None)
    version: int | None = option("version of the served model (default: the next)", default=None)
    format: Format = option(
        "onnx for ONNX Runtime, browsers and other servers, into a MODELS of its own; takes the "
        "extra onnx",
        default="savedmodel",
    )
    stable: bool = option("make the new version stable at once, not canary", default=False)
    base_path: str | None = option(
        "where the server finds MODELS (default: as models.config says, else /models)",
        default=None,
        metavar="PATH",
    )

    def __post_init__(self) -> None:
        given = [name for name in ("runs", "all", "label") if getattr(self, name)]
        if len(given) != 1:
            raise InputError(
                "Expected run directories, --all or --label. Received: "
                + (" and ".join(given) or "none of them")
            )
        if self.all and (self.name or self.version):
            raise InputError(
                "Expected neither --name nor --version with --all, where each model has its own. "
                f"Received: name={self.name!r}, version={self.version}"
            )
        if not self.all and not self.name:
            raise InputError("Expected the name of the served model. Received: none; add --name")
        if self.label and self.format != "savedmodel":
            raise InputError(
                "Expected no --format with --label: labels are TensorFlow Serving's. Received: "
                f"format={self.format!r}"
            )
        if self.label and (self.version or self.stable):
            raise InputError(
                "Expected neither --version nor --stable with --label, which says both. Received: "
                f"version={self.version}, stable={self.stable}"
            )
        if self.label and not self.label.partition("=")[2].isdecimal():
            raise InputError(f"Expected a version, as stable=3. Received: label={self.label!r}")


def main(argv: Sequence[str] | None = None) -> None:
    """Export runs and print where they went, or move a label."""
    given = parse(
        Options,
        argv,
        prog="python -m export",
        description="Write the model of a run, or the ensemble of several, as a SavedModel for "
        "TensorFlow Serving or in ONNX, checked against the Keras model. MODELS/models.config "
        "labels the versions of SavedModels: the first one is stable, a later one canary until its "
        "label is moved.",
    )
    name = given.name or ""
    if given.label:
        label, _, version = given.label.partition("=")
        moved = {name: {label: int(version)}}
        labels = write_models_config(given.models_dir, moved, base_path=given.base_path)
        print(f"{name}: {labels_text(labels[name])}")
        return
    quieten_tensorflow()
    if given.all:
        export_all(
            given.all,
            given.models_dir,
            format=given.format,
            stable=given.stable,
            base_path=given.base_path,
        )
        return
    model_dir = export_runs(
        given.runs,
        given.models_dir,
        name,
        given.version,
        format=given.format,
        stable=given.stable,
        base_path=given.base_path,
    )
    print(export_line(model_dir, given.runs))


if __name__ == "__main__":
    run_command(main, InputError)
