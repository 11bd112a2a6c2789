"""Importing TensorFlow without its start-up lines."""

import importlib
import importlib.util
import os
import sys

from serving.errors import InputError


def import_tensorflow_quietly() -> None:
    """Import TensorFlow with standard error closed to its C++ start-up lines.

    They are written before any logging option is read, and would drown the one line that a
    command has to say. For commands only: a library leaves standard error alone.

    Raises:
        InputError: If TensorFlow Serving's API, which every command here needs, is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        tensorflow = importlib.import_module("tensorflow")
        # Looking for a GPU has lines of its own.
        tensorflow.config.list_physical_devices()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)
    tensorflow.get_logger().setLevel("ERROR")
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise InputError(
            "Expected TensorFlow Serving's API. Received: no module tensorflow_serving. "
            "Install it: pip install 'keras-chrome[serving]'"
        )
