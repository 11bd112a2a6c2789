"""The backend of Keras: a model answers on JAX, too, but is trained and explained on TensorFlow."""

from keras_chrome.command_line import missed_backend, other_backend
from keras_chrome.errors import InputError


def require_keras() -> None:
    """See that Keras can be imported.

    Raises:
        InputError: If its backend is unknown, or not installed.
    """
    try:
        import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        if backend := missed_backend(error):
            raise InputError(other_backend(backend)) from None
        raise


def require_tensorflow() -> None:
    """See that Keras runs on TensorFlow.

    Raises:
        InputError: If it runs on another backend.
    """
    require_keras()

    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise InputError(other_backend(backend))
