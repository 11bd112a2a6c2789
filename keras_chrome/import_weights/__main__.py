"""`python -m keras_chrome.import_weights CHECKPOINT.pt --run-dir RUN`."""

import argparse
from collections.abc import Sequence

from keras_chrome.command_line import add_options, import_tensorflow_quietly, run_command
from keras_chrome.import_weights.convert import ImportConfig, import_weights


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.import_weights",
        description="Turn a published PyTorch AttentiveChrome into a run directory.",
    )
    parser.add_argument("checkpoint", help="file that torch.save wrote; nothing in it is executed")
    add_options(parser, ImportConfig)
    given = vars(parser.parse_args(argv))
    checkpoint, config = given.pop("checkpoint"), ImportConfig(**given)
    import_tensorflow_quietly()
    run = import_weights(checkpoint, config)
    print(f"run directory: {run.path}")


if __name__ == "__main__":
    run_command(main)
