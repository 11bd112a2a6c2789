"""What the commands share: options from a dataclass, errors in one line, tables."""

import argparse
import dataclasses
import os
import sys
import types
import typing
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from keras_chrome.errors import InputError

# Modules that only an extra installs.
_EXTRAS = {"tensorflow_serving": "serving", "tf_keras_vis": "explain", "imodels": "rules"}


def option(help_text: str, *, default: Any = dataclasses.MISSING, **argument: Any) -> Any:
    """A dataclass field that is also a command line option.

    Args:
        help_text: The option's help.
        default: The field's default; without one the option is required.
        **argument: Further arguments of `argparse`'s `add_argument`, such as `choices`.
    """
    return dataclasses.field(default=default, metadata={"help": help_text, **argument})


def add_options(
    parser: argparse.ArgumentParser, config_class: type, *, leave_out: Collection[str] = ()
) -> None:
    """Add an option for each field of a dataclass made with `option`, but for some.

    Options that are not given leave no attribute behind, so that the dataclass stays the one
    place that holds the defaults.
    """
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        if field.name in leave_out:
            continue
        metadata = dict(field.metadata)
        help_text = metadata.pop("help")
        kind, is_many = _scalar_type(hints[field.name])
        if kind is bool:
            metadata["action"] = argparse.BooleanOptionalAction
        else:
            metadata["type"] = kind
        if is_many:
            metadata["nargs"] = "+"
        required = field.default is dataclasses.MISSING
        if not required and field.default is not None:
            default: Any = field.default
            help_text += f" (default: {' '.join(map(str, default)) if is_many else default})"
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            default=argparse.SUPPRESS,
            required=required,
            help=help_text,
            **metadata,
        )


def _scalar_type(hint: Any) -> tuple[type, bool]:
    """The type of an option's values, and whether it takes several."""
    if typing.get_origin(hint) is types.UnionType:
        (hint,) = (a for a in typing.get_args(hint) if a is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False


def run_command(main: Callable[[Sequence[str] | None], None]) -> typing.NoReturn:
    """Run a command's `main` and exit.

    Bad input, what the operating system refuses (a missing file, a full disk) and an extra that
    is not installed end in one line on standard error and exit code 2; anything else is a bug and
    keeps its traceback.
    """
    try:
        main(None)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        print(
            f"error: Expected the extra {extra}. Received: no module {error.name}. Install it: "
            f"pip install 'keras-chrome[{extra}]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def import_tensorflow_quietly() -> None:
    """Import TensorFlow with standard error closed to its C++ start-up lines.

    They are written before any logging option is read, and say nothing that the user of a command
    can act on. For commands, after their options are parsed; a library leaves standard error
    alone.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with Path(os.devnull).open("w") as devnull:
        stderr = os.dup(2)
        os.dup2(devnull.fileno(), 2)
        try:
            tensorflow = import_module("tensorflow")
            # Looking for a GPU has lines of its own.
            tensorflow.config.list_physical_devices()
            # It warns of functions that are traced again, as one a method and shape has to be.
            tensorflow.get_logger().setLevel("ERROR")
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
