"""What can go wrong that the user can mend, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST_LINE = 900


def one_line(text: str) -> str:
    """Returns a message as `tfds_remc.command_line.one_line` does.

    TFDS may import this folder alone, and that one is then not at hand.
    """
    line = " ".join(map(str.strip, text.splitlines()))
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)
    if len(line) > _LONGEST_LINE:
        line = f"{line[: _LONGEST_LINE * 2 // 3]} ... {line[-_LONGEST_LINE // 4 :]}"
    return line


class InputError(ValueError):
    """Input that the user can mend: a file, an option, a download.

    Its message is one line: what was expected, what was received, the remedy. The command prints
    that line and exits with 2; every other exception is a bug and keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def require_known(what: str, name: object, known: Iterable[str]) -> None:
    """Refuses a name that is not known; a known name of "" is not listed.

    Raises:
        InputError: If it is not.
    """
    known = list(known)
    if name not in known:
        raise InputError(
            f"Expected {what} to be one of {', '.join(filter(None, known))}. "
            f"Received: {what}={name!r}."
        )


def some(names: Iterable[str], at_most: int = 5) -> str:
    """Returns the first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return (", ".join(names[:at_most]) or "none") + more


def printable(error: BaseException) -> str:
    """Returns what an exception of another library says, as a part of a line."""
    line = " ".join(str(error).split())[:200] or type(error).__name__
    return "".join(char if char.isprintable() else "?" for char in line)
