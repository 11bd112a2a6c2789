"""Commands: a dataclass is a command's options, and what a user can mend ends in one line.

The same file lies in keras_chrome, tfds_remc and serving, which import nothing of each other; a
test holds the three equal.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import os
import signal
import sys
import threading
import traceback
import types
import typing
from collections.abc import Callable, Collection, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

# Modules that only an extra installs.
_EXTRAS = {
    "apache_beam": "beam",
    "imodels": "rules",
    "optuna": "search",
    "tensorflow_serving": "serving",
    "tf_keras_vis": "explain",
    **dict.fromkeys(("onnx", "onnxruntime", "skl2onnx", "tf2onnx"), "onnx"),
    **dict.fromkeys(("python_multipart", "starlette", "uvicorn"), "web"),
}
# Keras's, apart from TensorFlow.
_BACKENDS = ("jax", "openvino", "torch")
_Options = TypeVar("_Options")


# In braces after an option's name, and twice over, more than that is wider than a terminal.
_LONGEST_CHOICES = 60
_LONGEST_LINE = 900


def option(
    help_text: str,
    *,
    default: Any = dataclasses.MISSING,
    positional: bool = False,
    aliases: Sequence[str] = (),
    group: str | None = None,
    **argument: Any,
) -> Any:
    """A dataclass field that is also an option of a command.

    What a user types follows from the field's type: several values for a tuple, `--no-NAME` too
    for a bool, one of its words for a Literal, in any spelling that `as_spelled` knows, and a `~`
    that is expanded for a Path.

    Args:
        help_text: The option's help.
        default: The field's default; without one the option is required.
        positional: Whether it is given by its place and not by its name.
        aliases: Other names that it answers to.
        group: The heading that `--help` lists it under.
        **argument: Further arguments of `argparse`'s `add_argument`, such as `choices`.
    """
    ours = {"help": help_text, "positional": positional, "aliases": aliases, "group": group}
    return dataclasses.field(default=default, metadata={**ours, **argument})


def parse(
    options_class: type[_Options], argv: Sequence[str] | None, *, prog: str, description: str
) -> _Options:
    """The options of a command as its dataclass.

    Args:
        options_class: A dataclass whose fields were made with `option`.
        argv: What the user typed; the process's own arguments if None.
        prog: What the user types before it.
        description: What the command does.

    Raises:
        SystemExit: With code 2 after one line if an option is unknown, missing or no value of its
            type; with code 0 after `--help`.
    """
    given = parse_given(options_class, argv=argv, prog=prog, description=description)
    return options_class(**given)


def parse_given(
    *options_classes: type,
    argv: Sequence[str] | None,
    prog: str,
    description: str,
    leave_out: Collection[str] = (),
) -> dict[str, Any]:
    """The options that a user gave, by name, of a command whose options are several dataclasses.

    Those not given are not in it, so that the dataclasses stay the one place that holds defaults.
    Fields that were not made with `option`, or are to be left out, are no options; a name that
    stands in several is the first one's. All else is as in `parse`.
    """
    parser = _Parser(prog=prog, description=description)
    groups: dict[str, argparse._ArgumentGroup] = {}
    taken = set(leave_out)
    for options_class in options_classes:
        hints = typing.get_type_hints(options_class)
        for field in dataclasses.fields(options_class):
            if "help" not in field.metadata or field.name in taken:
                continue
            taken.add(field.name)
            names, argument = _argument(field, hints[field.name])
            target: argparse._ActionsContainer = parser
            if heading := field.metadata["group"]:
                target = groups.setdefault(heading, parser.add_argument_group(heading))
            target.add_argument(*names, **argument)
    if "version" not in taken:
        parser.add_argument("--version", action="version", version=installed_version())
    if has_quiet := "quiet" not in taken:
        parser.add_argument(
            "--quiet", action="store_true", help="no progress bars, and nothing on standard output"
        )
    if "_ARGCOMPLETE" in os.environ:  # a shell asks how an argument may go on
        import argcomplete

        argcomplete.autocomplete(parser)
    given = vars(parser.parse_args(argv))
    if has_quiet and given.pop("quiet"):
        sys.stdout = Path(os.devnull).open("w", errors="replace")  # noqa: SIM115
        sys.stderr = typing.cast(typing.TextIO, _NoTerminal(sys.stderr))
    return {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}


class _NoTerminal:
    """A stream on which nobody draws bars."""

    def __init__(self, stream: typing.TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return False


class _Parser(argparse.ArgumentParser):
    """Takes `--data_dir` for `--data-dir`, as TFDS spells it, and complains in one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        args = sys.argv[1:] if args is None else args
        if list(args) == ["--version"]:  # also where an option of that name takes a value
            print(installed_version())
            sys.exit(0)
        return super().parse_known_args([_with_dashes(str(a)) for a in args], namespace)

    def error(self, message: str) -> typing.NoReturn:
        line = " ".join(message.split())
        print(f"error: {line}. `{self.prog} --help` lists the options", file=sys.stderr)
        sys.exit(2)


def installed_version() -> str:
    """What every command says that is asked for its `--version`."""
    try:
        return f"keras-chrome {version('keras-chrome')}"
    except PackageNotFoundError:
        return "keras-chrome, not installed"


def _with_dashes(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument


def _argument(field: dataclasses.Field[Any], hint: Any) -> tuple[list[str], dict[str, Any]]:
    """The names of a field's option, and the other arguments of `add_argument`."""
    argument = {name: value for name, value in field.metadata.items() if name != "group"}
    names = [field.name, *argument.pop("aliases")]
    is_required = field.default is dataclasses.MISSING
    kind, choices, is_many = _values(hint)
    argument["default"] = argparse.SUPPRESS
    if kind is bool:
        argument["action"] = argparse.BooleanOptionalAction
    else:
        argument.setdefault("type", _expanded if kind is Path else kind)
        if choices:
            argument.setdefault("choices", choices)
        if known := argument.get("choices"):
            argument["type"] = _one_of(known, argument["type"])
            if len(listed := ", ".join(map(str, known))) > _LONGEST_CHOICES:
                argument["metavar"] = field.name.upper()
                argument["help"] += f": {listed}"
    is_positional = argument.pop("positional")
    if is_many:
        argument.setdefault("nargs", "*" if is_positional and not is_required else "+")
    if not is_required and field.default not in (None, ()) and "(default: " not in argument["help"]:
        default: Any = field.default
        shown = " ".join(map(str, default)) if is_many else default
        argument["help"] += f" (default: {shown})"
    argument["help"] = argument["help"].replace("%", "%%")
    if is_positional:
        if not is_required:
            argument.setdefault("nargs", "?")
        return [field.name], argument
    argument |= {"dest": field.name, "required": is_required}
    return ["--" + name.replace("_", "-") for name in names], argument


def _values(hint: Any) -> tuple[type, tuple[str, ...], bool]:
    """The type of an option's values, the words it is one of, and whether it takes several."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        of_union = [part for part in typing.get_args(hint) if part is not types.NoneType]
        hint = Path if Path in of_union else of_union[0]
    if typing.get_origin(hint) is tuple:
        kind, choices, _ = _values(typing.get_args(hint)[0])
        return kind, choices, True
    if typing.get_origin(hint) is typing.Literal:
        return str, typing.get_args(hint), False
    return hint, (), False


def _expanded(text: str) -> Path:
    return Path(text).expanduser()


def _one_of(words: Collection[str], read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: as_spelled(read(text), words)


def as_spelled(word: str, words: Collection[str]) -> str:
    """A word as the known ones are spelled: `Median` is `median`, `deep-chrome` `deep_chrome`.

    Args:
        word: What was given.
        words: The known ones.

    Returns:
        The one that differs from it in capitals, `-` and `_` alone; if there is none, or more than
        one, the word itself.
    """
    if word in words:
        return word
    alike = [known for known in words if _folded(known) == _folded(word)]
    return alike[0] if len(alike) == 1 else word


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_")


def one_line(text: str) -> str:
    """A message as one line that a terminal can show, whatever a file has put into it.

    What would break, colour or turn it is written as its escape; of what is too long the beginning
    and the end stay, where it says what was expected and what to do.
    """
    line = " ".join(map(str.strip, text.splitlines()))
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)
    if len(line) > _LONGEST_LINE:
        line = f"{line[: _LONGEST_LINE * 2 // 3]} ... {line[-_LONGEST_LINE // 4 :]}"
    return line


def run_command(
    main: Callable[[Sequence[str] | None], int | None], *mistakes: type[Exception]
) -> typing.NoReturn:
    """Run a command's `main` and exit, with what it returns.

    What a user can mend, what the operating system refuses (a missing file, a full disk, memory)
    and an extra that is not installed end in one line on standard error and exit code 2; anything
    else is a bug and keeps its traceback.

    SIGINT and SIGTERM raise KeyboardInterrupt in `main`, and end in one line too, with exit code
    130 and 143. A command that is gone on with raises another, which says how.

    Args:
        main: The command.
        *mistakes: What it raises where the user can mend something.
    """
    stopped_by: list[signal.Signals] = []
    own_process = os.getpid()

    def stop(number: int, _: object) -> None:
        if os.getpid() != own_process:  # A fork, which has no line of its own to say.
            os._exit(128 + number)
        # Once: what clears up is not to be broken off, too, as where a sweep ends its runs that
        # Ctrl-C has ended before.
        for of_both in (signal.SIGINT, signal.SIGTERM):
            signal.signal(of_both, signal.SIG_IGN)
        stopped_by.append(signal.Signals(number))
        raise KeyboardInterrupt

    streams = sys.stdout, sys.stderr
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        # What a shell starts in the background, or nohup, is not to hear of some.
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        code = main(None)
        sys.stdout.flush()  # What fails at exit is a traceback.
    except BaseException as error:
        if stopped_by:  # Whatever foreign code on the way has made of the exception.
            how = str(error) if isinstance(error, KeyboardInterrupt) else ""
            _end(128 + stopped_by[0], f"stopped by {stopped_by[0].name}; {how or _STOPPED}")
        if mistake := _line_of(error, mistakes):
            _end(2, f"error: {mistake}")
        raise
    finally:
        sys.stdout, sys.stderr = streams  # which --quiet has replaced
        if not stopped_by:
            for number, handler in before.items():
                signal.signal(number, handler)
    sys.exit(code or 0)


_STOPPED = "no file is left half-written, and the same command begins again"
_NO_ROOM = ("room to write", "Free some, or write elsewhere")
_NO_RIGHT = ("the right to read and write", "Change it, or name another place")
_OTHER_PATH = ("the path of a file or folder", "Name another")
# What was expected, and the remedy, for what the operating system says.
_REFUSALS = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EFBIG: _NO_ROOM,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: _NO_RIGHT,
    errno.ENOENT: _OTHER_PATH,
    errno.ENOTDIR: _OTHER_PATH,
    errno.EISDIR: _OTHER_PATH,
    errno.ENAMETOOLONG: ("a name that the file system takes", "Shorten it"),
    errno.EMFILE: ("to open a file more", "Raise the limit: ulimit -n 1024"),
    errno.ENOMEM: ("memory", "Free some, or raise the limit: ulimit -v"),
}


def _line_of(error: BaseException, mistakes: Sequence[type[Exception]]) -> str | None:
    """What a user is told of an error; None if it is a bug."""
    text = one_line(str(error))
    if isinstance(error, tuple(mistakes)):
        return text
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        expected, remedy = _REFUSALS[error.errno]
        of = "" if error.filename is None else f" of {error.filename}"
        return f"Expected {expected}. Received: {error.strerror}{of}. {remedy}"
    if isinstance(error, OSError):
        return text
    if os.strerror(errno.ENOSPC) in text:  # As TensorFlow says it, and TFDS after it.
        expected, remedy = _NO_ROOM
        return f"Expected {expected}. Received: {text}. {remedy}"
    # The latter is TensorFlow's, which is not imported for it.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        expected, remedy = _REFUSALS[errno.ENOMEM]
        return f"Expected {expected}. Received: {text or 'no more'}. {remedy}"
    if backend := missed_backend(error):
        return other_backend(backend)
    if isinstance(error, ModuleNotFoundError):
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        return extra and (
            f"Expected the extra {extra}. Received: no module {error.name}. Install it: "
            f"pip install 'keras-chrome[{extra}]'"
        )
    return None


def keras_backend() -> str | None:
    """What Keras has been told to run on; None as long as no part of it is imported."""
    config = sys.modules.get("keras.src.backend.config")
    return None if config is None else str(config.backend())


def missed_backend(error: BaseException) -> str | None:
    """The backend that Keras could not import; None if the error tells of something else."""
    # As Keras says it, and TensorFlow and TFDS after it.
    _, _, unknown = one_line(str(error)).partition("Unable to import backend : ")
    if unknown or not isinstance(error, ModuleNotFoundError) or error.name not in _BACKENDS:
        return unknown or None
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    is_of_keras = any(f.f_globals.get("__name__", "").startswith("keras.") for f in frames)
    return error.name if is_of_keras else None


def other_backend(backend: str) -> str:
    """What a user is told of a backend on which Keras cannot do what was asked."""
    where = "KERAS_BACKEND=" if "KERAS_BACKEND" in os.environ else "keras.json, backend="
    return (
        f"Expected TensorFlow as the backend of Keras. Received: {where}{backend}. "
        "Set KERAS_BACKEND=tensorflow"
    )


def _end(code: int, line: str) -> typing.NoReturn:
    """Exit with a line on standard error, below the bars that are on it."""
    if "tqdm" in sys.modules:
        for bar in list(sys.modules["tqdm"].tqdm._instances):
            bar.close()
    print(line, file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        # Or what could not be written is tried once more at exit, and told in many lines.
        with Path(os.devnull).open("w") as devnull:
            os.dup2(devnull.fileno(), sys.stdout.fileno())
    sys.exit(code)


def quieten_tensorflow() -> None:
    """Let TensorFlow and Keras, whenever something imports them, be quiet and quick about it.

    Their lines say nothing that the user of a command can act on, and those of the start are
    written before any logging option is read. Half of the seconds go into packages that they use
    if these are installed, for what no command does: they do without. For commands, after their
    options are parsed; a library leaves standard error, and Keras, alone. Nothing is imported here:
    what a user can mend comes to light without the seconds that it takes.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" not in sys.modules:
        # Behind those that wait for modules to be imported, before those that find files.
        sys.meta_path.insert(sys.meta_path.index(PathFinder), _QuietTensorFlow())


# Keras takes data frames of pandas and matrices of SciPy, wraps itself for scikit-learn and draws
# with Matplotlib; TensorFlow Lite converts from JAX.
_LEFT_OUT = ("jax", "matplotlib", "pandas", "scipy", "sklearn")


class _QuietTensorFlow(MetaPathFinder):
    """Finds TensorFlow and Keras where others do, and sees to how they are imported."""

    def __init__(self) -> None:
        self._importing_thread: int | None = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if self._is_left_out(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name not in ("keras", "tensorflow"):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(self._execute, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec

    def _is_left_out(self, name: str) -> bool:
        if name not in _LEFT_OUT or self._importing_thread != threading.get_ident():
            return False
        return keras_backend() in (None, "tensorflow")  # Others may need them.

    def _execute(
        self, execute: Callable[[types.ModuleType], None], module: types.ModuleType
    ) -> None:
        """Execute a module; Keras imports TensorFlow, and TensorFlow Keras."""
        before, self._importing_thread = self._importing_thread, threading.get_ident()
        try:
            if module.__name__ == "tensorflow":
                _quietly(execute, module)
            else:
                execute(module)
        finally:
            self._importing_thread = before


def _quietly(execute: Callable[[types.ModuleType], None], tensorflow: types.ModuleType) -> None:
    sys.stderr.flush()
    with Path(os.devnull).open("w") as devnull:
        stderr = os.dup(2)
        os.dup2(devnull.fileno(), 2)
        try:
            execute(tensorflow)
            # Looking for a GPU has lines of its own.
            tensorflow.config.list_physical_devices()
            # It warns of functions that are traced again, as one a method and shape has to be.
            tensorflow.get_logger().setLevel("ERROR")
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
