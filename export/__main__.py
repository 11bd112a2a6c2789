"""Command line of the export."""

import argparse
from collections.abc import Sequence

from export.run import export_run
from keras_chrome.command_line import import_tensorflow_quietly, run_command


def main(argv: Sequence[str] | None = None) -> None:
    """Export a run and print where it went."""
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Write a run's model as a SavedModel for TensorFlow Serving, checked against "
        "the Keras model.",
    )
    parser.add_argument("run_dir", metavar="RUN", help="run directory")
    parser.add_argument(
        "--to", dest="models_dir", metavar="MODELS", required=True, help="folder of served models"
    )
    parser.add_argument("--name", required=True, help="name of the served model")
    parser.add_argument(
        "--version", type=int, help="version of the served model (default: the next)"
    )
    args = parser.parse_args(argv)
    import_tensorflow_quietly()
    model_dir = export_run(args.run_dir, args.models_dir, args.name, args.version)
    print(f"{model_dir}: exported; answers as the Keras model does")


if __name__ == "__main__":
    run_command(main)
