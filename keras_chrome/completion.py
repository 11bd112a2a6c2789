"""Completion of `keras-chrome` in a shell: argcomplete asks the command itself, at each tab."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from keras_chrome.atomic import atomic_path
from keras_chrome.command_line import as_spelled
from keras_chrome.errors import InputError


class _Shell(NamedTuple):
    """Where a shell looks for completions: a folder in one that a variable names."""

    variable: str
    instead: str
    file: str
    reads: str


_SHELLS = {
    "bash": _Shell(
        *("XDG_DATA_HOME", "~/.local/share", "bash-completion/completions/keras-chrome"),
        "New shells with bash-completion read it",
    ),
    "fish": _Shell(
        *("XDG_CONFIG_HOME", "~/.config", "fish/completions/keras-chrome.fish"),
        "New shells read it",
    ),
    "zsh": _Shell(
        *("ZDOTDIR", "~", ".zfunc/_keras-chrome"),
        "New shells read it if .zshrc has: fpath+=({folder}); autoload -Uz compinit; compinit",
    ),
}


def install_completion(shell: str | None = None) -> str:
    """Write the file by which a shell completes `keras-chrome`.

    Args:
        shell: "bash", "fish" or "zsh"; the user's own unless given.

    Returns:
        Where it is, and when it is read, as a line.

    Raises:
        InputError: If the shell is none of these.
    """
    from argcomplete.shell_integration import shellcode

    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in _SHELLS:
        raise InputError(
            f"Expected a shell of {', '.join(_SHELLS)}. Received: {name or 'none'}; name it: "
            "keras-chrome --install-completion bash"
        )
    variable, instead, file, reads = _SHELLS[name]
    path = Path(os.environ.get(variable) or instead).expanduser() / file
    with atomic_path(path) as temporary:
        temporary.write_text(shellcode(["keras-chrome"], shell=name))
    return f"{path}\n{reads.format(folder=path.parent)}."


def completed_verb(verbs: Collection[str]) -> str | None:
    """Answer a shell that completes a verb, or say which verb's options it completes.

    Args:
        verbs: The known ones.

    Returns:
        The verb, whose own parser answers then.
    """
    import argcomplete

    line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
    before = line.split()[1:] if line[-1:].isspace() else line.split()[1:-1]
    is_help = before[:1] == ["help"]
    if before and not is_help and not before[0].startswith("-"):
        os.environ["_ARGCOMPLETE"] = "2"  # the word from which on the parser reads
        return as_spelled(before[0], verbs)
    parser = argparse.ArgumentParser(add_help=False)
    if is_help:
        os.environ["_ARGCOMPLETE"] = "2"
        parser.add_argument("verb", choices=verbs)
    else:
        parser.add_argument("verb", choices=["help", *verbs])
        parser.add_argument("--install-completion", choices=_SHELLS)
        parser.add_argument("--help", action="store_true")
        parser.add_argument("--version", action="store_true")
    argcomplete.autocomplete(parser, always_complete_options=False)
    return None
