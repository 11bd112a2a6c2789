"""A command of `fit` for tests: of virtual devices, or of as many cores as wanted.

`python distributed_run.py DEVICES CORES [the options of fit]`
"""

import os
import sys

import tensorflow as tf

from keras_chrome.command_line import run_command
from keras_chrome.errors import InputError
from keras_chrome.fit.__main__ import main


def run() -> None:
    devices, cores = int(sys.argv.pop(1)), int(sys.argv.pop(1))
    os.cpu_count = lambda: cores
    if devices > 1:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * devices,
        )
    run_command(main, InputError)


if __name__ == "__main__":
    run()
