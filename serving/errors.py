"""What can go wrong between a file of genes and an answer."""

import grpc

from serving.command_line import one_line

__all__ = ["InputError", "ServerError"]


class InputError(ValueError):
    """Input that the user can mend: a file, an array, an option.

    Its message is one line: what was expected, what was received, the remedy.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class ServerError(ValueError):
    """A server refused a request, or could not be asked.

    Attributes:
        code: The gRPC status code.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
