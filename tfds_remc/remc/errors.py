"""What can go wrong that the user can mend."""


class InputError(ValueError):
    """Input that the user can mend: a file, an option, a download.

    Its message is one line: what was expected, what was received, the remedy. The command prints
    that line and exits with 2; every other exception is a bug and keeps its traceback.
    """
