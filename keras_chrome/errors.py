"""What can go wrong that the user can mend."""

from keras_chrome.command_line import one_line


class InputError(ValueError):
    """Input that the user can mend: a file, an option, a run directory.

    Its message is one line: what was expected, what was received, the remedy. A command prints
    that line and exits with 2; every other exception is a bug and keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def printable(said: BaseException | str) -> str:
    """What an exception of another library says, as a part of a line."""
    line = " ".join(str(said).split())[:300] or type(said).__name__
    return "".join(char if char.isprintable() else "?" for char in line)
