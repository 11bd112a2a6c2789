"""Command line of the export."""

import argparse
from collections.abc import Sequence

from export.all_runs import export_all
from export.models_config import labels_text, write_models_config
from export.run import export_line, export_runs
from keras_chrome.command_line import import_tensorflow_quietly, run_command


def main(argv: Sequence[str] | None = None) -> None:
    """Export runs and print where they went, or move a label."""
    args = _parse(argv)
    if args.label:
        label, version = args.label
        labels = write_models_config(
            args.models_dir, {args.name: {label: version}}, base_path=args.base_path
        )
        print(f"{args.name}: {labels_text(labels[args.name])}")
        return
    import_tensorflow_quietly()
    where = {"stable": args.stable, "base_path": args.base_path}
    if args.runs_dir:
        export_all(args.runs_dir, args.models_dir, **where)
        return
    model_dir = export_runs(args.run_dirs, args.models_dir, args.name, args.version, **where)
    print(export_line(model_dir, len(args.run_dirs)))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Write the model of a run, or the ensemble of several, as a SavedModel for "
        "TensorFlow Serving, checked against the Keras model. MODELS/models.config labels the "
        "versions: the first one is stable, a later one canary until its label is moved.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "run_dirs",
        metavar="RUN",
        nargs="*",
        default=[],
        help="run directory; several become an ensemble",
    )
    what.add_argument(
        "--all",
        dest="runs_dir",
        metavar="RUNS",
        help="export every finished run below this folder, named for its epigenome; runs that "
        "differ in their seed alone become an ensemble",
    )
    what.add_argument(
        "--label",
        metavar="LABEL=VERSION",
        type=_label,
        help="export nothing; move a label of --name, as stable=3, to a version that is there",
    )
    parser.add_argument(
        "--to", dest="models_dir", metavar="MODELS", required=True, help="folder of served models"
    )
    parser.add_argument("--name", help="name of the served model")
    parser.add_argument(
        "--version", type=int, help="version of the served model (default: the next)"
    )
    parser.add_argument(
        "--stable", action="store_true", help="make the new version stable at once, not canary"
    )
    parser.add_argument(
        "--base-path",
        metavar="PATH",
        help="where the server finds MODELS (default: as models.config says, else /models)",
    )
    args = parser.parse_args(argv)
    if args.runs_dir and (args.name or args.version):
        parser.error("--all takes neither --name nor --version: each model has its own")
    if not args.runs_dir and not args.name:
        parser.error("--name is missing")
    if args.label and (args.version or args.stable):
        parser.error("--label takes neither --version nor --stable: it says both")
    return args


def _label(text: str) -> tuple[str, int]:
    label, _, version = text.partition("=")
    if not version.isdecimal():
        raise argparse.ArgumentTypeError(f"Expected a version, as stable=3. Received: {text}")
    return label, int(version)


if __name__ == "__main__":
    run_command(main)
