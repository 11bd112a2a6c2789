"""`python -m keras_chrome.faithfulness RUN`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.command_line import add_options, import_tensorflow_quietly, run_command
from keras_chrome.faithfulness.config import FaithfulnessConfig
from keras_chrome.faithfulness.output import write_faithfulness
from keras_chrome.faithfulness.suite import faithfulness


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.faithfulness",
        description="Try all importance methods of a run side by side, and say which to believe "
        "for which question. Trains the run's model with other seeds and on shuffled labels.",
    )
    parser.add_argument("run", help="run directory of a network")
    add_options(parser, FaithfulnessConfig)
    parser.add_argument("--out", help="directory to write (default: RUN/faithfulness)")
    given = vars(parser.parse_args(argv))
    run = given.pop("run")
    directory = Path(given.pop("out") or Path(run) / "faithfulness")
    config = FaithfulnessConfig(**given)
    import_tensorflow_quietly()
    from keras_chrome.faithfulness.output import faithfulness_text

    result = faithfulness(run, config, directory=directory)
    write_faithfulness(result, directory)
    print(f"\n{faithfulness_text(result)}\n\nfaithfulness: {directory}")


if __name__ == "__main__":
    run_command(main)
