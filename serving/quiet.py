"""Importing TensorFlow without its start-up lines."""

import importlib
import os
import sys


def import_tensorflow_quietly() -> None:
    """Import TensorFlow with standard error closed to its C++ start-up lines.

    They are written before any logging option is read, and would drown the one line that a
    command has to say. For commands only: a library leaves standard error alone.
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
