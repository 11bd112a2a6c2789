"""What each command takes, from the parser that it would parse with, and as a page of Markdown."""

import argparse
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from unittest import mock

from keras_chrome.__main__ import VERBS

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Command:
    """A command that a user types.

    Attributes:
        name: What is typed, such as `python -m export`.
        module: The module of its `main`.
    """

    name: str
    module: str


def _verbs(*groups: str) -> tuple[Command, ...]:
    return tuple(
        Command(f"keras-chrome {verb}", _module(f"keras_chrome.{verb}"))
        for group in groups
        for verb in VERBS[group]
    )


def _module(name: str) -> str:
    """The module that `python -m NAME` runs."""
    is_package = (_ROOT / name.replace(".", "/") / "__main__.py").is_file()
    return f"{name}.__main__" if is_package else name


def _python(*names: str) -> tuple[Command, ...]:
    return tuple(Command(f"python -m {name}", _module(name)) for name in names)


GROUPS: dict[str, tuple[Command, ...]] = {
    "Data": (*_python("tfds_remc"), *_verbs("Data")),
    "Train": _verbs("Train"),
    "Compare": _verbs("Compare"),
    "Explain": _verbs("Explain"),
    "Export and serve": (
        *_verbs("Export"),
        *_python(
            "export",
            "serving.client",
            "serving.local",
            "serving.web",
            "serving.container.ssl_config",
        ),
    ),
}
"""All commands, by what one wants to do."""


class _Found(BaseException):
    """Carries a parser out of the `main` that was about to parse with it."""


def parser_of(module: str) -> argparse.ArgumentParser:
    """The parser of a command.

    Args:
        module: The module of its `main`, whose first step is to parse.
    """

    def found(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _Found(parser)

    command = importlib.import_module(module)
    with mock.patch.object(argparse.ArgumentParser, "parse_args", found):
        try:
            command.main([])
        except _Found as carried:
            parser: argparse.ArgumentParser = carried.args[0]
            return parser
    raise LookupError(f"Expected a main that parses. Received: {module}.main")


def options_of(parser: argparse.ArgumentParser) -> dict[str, list[argparse.Action]]:
    """What a parser takes, by heading, without `--help` and `--version`."""
    groups: dict[str, list[argparse.Action]] = {}
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a.dest not in ("help", "version")]
        if actions:
            groups.setdefault(group.title or "", []).extend(actions)
    return groups


def commands_page() -> str:
    """The reference of all commands as Markdown."""
    parts = [
        "# Commands",
        "This page is made of the options themselves, whenever the site is built. "
        "`keras-chrome VERB` is short for `python -m keras_chrome.VERB`; every command answers "
        "`--help` and `--version`. In the names of options `_` is as good as `-`, as `--data_dir` "
        "and `--data-dir`.",
    ]
    of_fit = _texts(parser_of(_module("keras_chrome.fit")))
    for group, commands in GROUPS.items():
        parts.append(f"## {group}")
        for command in commands:
            parts += _command(command, {} if command.module.endswith("fit.__main__") else of_fit)
    return "\n\n".join(parts) + "\n"


def _texts(parser: argparse.ArgumentParser) -> dict[str, str]:
    actions = (a for group in options_of(parser).values() for a in group)
    return {_names(action): _help(action) for action in actions}


def _command(command: Command, of_fit: dict[str, str]) -> Iterator[str]:
    """A command's part of the page; what it takes as `fit` does is told there."""
    parser = parser_of(command.module)
    anchor = command.module.removesuffix(".__main__")
    yield f"### `{command.name}` {{ #{anchor} }}"
    yield _prose(parser.description or "")
    yield f"```text\n{_usage(command, parser)}\n```"
    as_fit = []
    for heading, actions in options_of(parser).items():
        own = [a for a in actions if of_fit.get(_names(a)) != _help(a) or len(of_fit) == 0]
        shared = [a for a in actions if a not in own]
        if len(shared) < 8:  # A few are told again; dozens are not.
            own, shared = list(actions), []
        as_fit += shared
        if own and heading not in ("positional arguments", "options"):
            yield f"**{heading[0].upper()}{heading[1:]}**"
        if own:
            yield "\n\n".join(_definition(action, anchor) for action in own)
    if as_fit:
        names = ", ".join(f"`{_shown(action)}`" for action in as_fit)
        yield f"And, as [`keras-chrome fit`](#keras_chrome.fit) has them: {names}."


def _definition(action: argparse.Action, anchor: str) -> str:
    name = f"`{_names(action)}`"
    slug = f"{anchor}.{action.dest}"
    required = " *required*{ .required }" if action.required and action.option_strings else ""
    return f"[](){{ #{slug} }}{name}{_values(action)}{required}\n:   {_prose(_help(action))}"


def _names(action: argparse.Action) -> str:
    return ", ".join(action.option_strings) or str(action.metavar or action.dest).upper()


def _shown(action: argparse.Action) -> str:
    return action.option_strings[0] if action.option_strings else _names(action)


def _values(action: argparse.Action) -> str:
    """What is typed after an option's name."""
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return ""
    if not action.option_strings:
        return " ..." if action.nargs in ("+", "*") else ""
    word = action.metavar or action.dest.upper()
    if action.choices is not None and not action.metavar:
        word = " | ".join(map(str, action.choices))
    return f" `{word}{' ...' if action.nargs in ('+', '*') else ''}`"


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _usage(command: Command, parser: argparse.ArgumentParser) -> str:
    """The shortest line: what has to be given."""
    words = [command.name]
    actions = [a for group in options_of(parser).values() for a in group]
    for action in actions:
        if not action.option_strings:
            many = " ..." if action.nargs in ("+", "*") else ""
            needed = action.nargs not in ("?", "*")
            words.append(f"{_names(action)}{many}" if needed else f"[{_names(action)}{many}]")
    for action in actions:
        if action.option_strings and action.required:
            words.append(f"{action.option_strings[0]} {action.metavar or action.dest.upper()}")
    return " ".join([*words, "[options]"])


def _prose(text: str) -> str:
    """Help text as Markdown: what looks like code is set as code."""
    text = escape(text, quote=False).replace("*", "\\*").replace("_", "\\_").replace("|", "\\|")
    code = re.compile(r"(?<![\w`/-])(--[a-z][\w\\-]*|[A-Z]{3,}(?:/[\w.]+)+)")
    return code.sub(lambda found: "`" + found[0].replace("\\", "") + "`", text)


def all_commands() -> Sequence[Command]:
    """Every command of the page."""
    return [command for commands in GROUPS.values() for command in commands]
