"""`python -m keras_chrome.import_weights CHECKPOINT.pt --run-dir RUN`."""

from collections.abc import Sequence
from dataclasses import dataclass

from keras_chrome.command_line import option, parse_given, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.import_weights.convert import ImportConfig, import_weights


@dataclass(frozen=True, kw_only=True)
class _CheckpointOption:
    checkpoint: str = option(
        "file that torch.save wrote, its https URL with #sha256=... at the end, or E003; nothing "
        "in it is executed",
        positional=True,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse_given(
        *(_CheckpointOption, ImportConfig),
        argv=argv,
        prog="python -m keras_chrome.import_weights",
        description="Turn a published PyTorch AttentiveChrome into a run directory.",
    )
    checkpoint, config = given.pop("checkpoint"), ImportConfig(**given)
    quieten_tensorflow()
    run = import_weights(checkpoint, config)
    print(f"run directory: {run.path}")


if __name__ == "__main__":
    run_command(main, InputError)
