"""The implementations of attentive_chrome that `gpu.py` trains, each in a process of its own."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from gpu_arrays import Arrays
from machine import cpu_model

# In a checkout that is not installed Python looks for modules beside the script alone.
sys.path.append(str(Path(__file__).parents[1]))

IMPLEMENTATIONS = ("fused", "stock", "reference")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
CLIP_NORM = 1.0


class Setting(NamedTuple):
    """What a side trains, and how."""

    implementation: str
    precision: str
    batch_size: int
    learning_rate: float
    seed: int


class Side(Protocol):
    """An implementation of attentive_chrome, with its genes on the device.

    Attributes:
        device: Name of the device.
        versions: Names and versions of the frameworks.
    """

    device: str
    versions: str

    def train(self, rows: np.ndarray) -> None:
        """Take steps, each on a row of `(steps, batch)` positions of genes; return when done."""

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits `(batch,)` of the validation genes at these positions."""

    def peak_bytes(self) -> int | None:
        """Greatest device memory in use so far; None where the device does not say."""


class TensorFlowSide:
    """Keras on TensorFlow."""

    def __init__(self, arrays: Arrays, setting: Setting) -> None:
        import keras
        import tensorflow as tf

        from keras_chrome.fit.recipes import Recipe
        from keras_chrome.fit.trainer import compiled_trainer

        trainee = keras_trainee(arrays, setting)
        recipe = Recipe(learning_rate=setting.learning_rate, clip_norm=CLIP_NORM)
        trainer = compiled_trainer(trainee, recipe, steps=1)
        signal = tf.constant(arrays.train_signal)
        label = tf.constant(arrays.train_label[:, None], tf.float32)
        valid_signal = tf.constant(arrays.valid_signal)

        def step(done: Any, rows: Any) -> tuple[Any, Any]:
            trainer.train_step((tf.gather(signal, rows[done]), tf.gather(label, rows[done])))
            return done + 1, rows

        @tf.function(
            input_signature=[tf.TensorSpec((None, setting.batch_size), tf.int32)], autograph=False
        )
        def train(rows: Any) -> None:
            is_left = lambda done, rows: done < tf.shape(rows)[0]  # noqa: E731
            tf.while_loop(is_left, step, (0, rows), parallel_iterations=1)

        # XLA does not compile cuDNN's operations.
        @tf.function(jit_compile=setting.implementation == "fused", autograph=False)
        def logit(rows: Any) -> Any:
            return trainee(tf.gather(valid_signal, rows), training=False)[:, 0]

        self._train, self._logit = train, logit
        self._last_weight = trainee.trainable_variables[-1]
        self._gpus = tf.config.list_physical_devices("GPU")
        self._memory_info = tf.config.experimental.get_memory_info
        self.device = cpu_name()
        if self._gpus:
            details = tf.config.experimental.get_device_details(self._gpus[0])
            self.device = details.get("device_name", self._gpus[0].name)
        self.versions = f"tensorflow {tf.__version__}, keras {keras.__version__}"

    def train(self, rows: np.ndarray) -> None:
        """Take the steps in one graph."""
        self._train(rows)
        self._last_weight.numpy()  # Waits for the device.

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits, compiled once."""
        return self._logit(rows).numpy()

    def peak_bytes(self) -> int | None:
        """As TensorFlow's allocator counts."""
        return self._memory_info("GPU:0")["peak"] if self._gpus else None


class JaxSide:
    """Keras on JAX."""

    def __init__(self, arrays: Arrays, setting: Setting) -> None:
        import jax
        import keras

        trainee = keras_trainee(arrays, setting)
        # Keras scales the loss of a mixed_float16 model.
        trainee.compile(
            keras.optimizers.Adam(setting.learning_rate, global_clipnorm=CLIP_NORM),
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        trainee.optimizer.build(trainee.trainable_variables)
        signal = jax.device_put(arrays.train_signal)
        label = jax.device_put(arrays.train_label[:, None].astype(np.float32))
        valid_signal = jax.device_put(arrays.valid_signal)

        # Arrays that a function only refers to would be compiled into it.
        def step(state: Any, signal: Any, label: Any, rows: Any) -> Any:
            return trainee.train_step(state, (signal[rows], label[rows]))[1]

        def logit(state: Any, valid_signal: Any, rows: Any) -> Any:
            weights, frozen, *_ = state
            return trainee.stateless_call(weights, frozen, valid_signal[rows])[0][:, 0]

        self._genes, self._valid_signal = (signal, label), valid_signal
        self._step, self._logit = jax.jit(step, donate_argnums=0), jax.jit(logit)
        self._state = tuple(
            [variable.value for variable in variables]
            for variables in (
                trainee.trainable_variables,
                trainee.non_trainable_variables,
                trainee.optimizer.variables,
                trainee.metrics_variables,
            )
        )
        self._wait = jax.block_until_ready
        self._device = jax.devices()[0]
        is_cpu = self._device.platform == "cpu"
        self.device = cpu_name() if is_cpu else self._device.device_kind
        self.versions = f"jax {jax.__version__}, keras {keras.__version__}"

    def train(self, rows: np.ndarray) -> None:
        """Take the steps, each handed to the device before the last one is done."""
        for of_step in rows:
            self._state = self._step(self._state, *self._genes, of_step)
        self._wait(self._state)

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits, compiled once."""
        return np.asarray(self._logit(self._state, self._valid_signal, rows))

    def peak_bytes(self) -> int | None:
        """As XLA's allocator counts."""
        return (self._device.memory_stats() or {}).get("peak_bytes_in_use")


class PyTorchSide:
    """The reference design in PyTorch, with its automatic mixed precision."""

    def __init__(self, arrays: Arrays, setting: Setting) -> None:
        import torch
        from pytorch_models import ReferenceDesign

        self._torch = torch
        self._on_gpu = torch.cuda.is_available()
        kind = "cuda" if self._on_gpu else "cpu"
        torch.manual_seed(setting.seed)
        torch.set_num_threads(os.cpu_count() or 1)
        self._model = ReferenceDesign(arrays.train_signal.shape[2]).to(kind)
        self._optimizer = torch.optim.Adam(self._model.parameters(), setting.learning_rate)
        self._scaler = torch.amp.GradScaler(kind, enabled=setting.precision == "mixed_float16")
        half = torch.float16 if setting.precision == "mixed_float16" else torch.bfloat16
        self._autocast = torch.autocast(kind, half, enabled=setting.precision != "float32")
        self._signal, self._label, self._valid_signal = (
            torch.from_numpy(array).to(kind)
            for array in (
                arrays.train_signal,
                arrays.train_label.astype(np.float32),
                arrays.valid_signal,
            )
        )
        self.device = torch.cuda.get_device_name() if self._on_gpu else cpu_name()
        self.versions = f"torch {torch.__version__}"

    def train(self, rows: np.ndarray) -> None:
        """Take the steps in a Python loop."""
        torch, model = self._torch, self._model
        for of_step in torch.from_numpy(rows).to(self._signal.device):
            self._optimizer.zero_grad()
            with self._autocast:
                logit, *_ = model(self._signal[of_step])
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    logit.float(), self._label[of_step]
                )
            self._scaler.scale(loss).backward()
            self._scaler.unscale_(self._optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            self._scaler.step(self._optimizer)
            self._scaler.update()
        if self._on_gpu:
            torch.cuda.synchronize()

    def logit(self, rows: np.ndarray) -> np.ndarray:
        """Logits, in the precision of the training."""
        with self._torch.inference_mode(), self._autocast:
            logit, *_ = self._model(self._valid_signal[self._torch.from_numpy(rows)])
        return logit.float().cpu().numpy()

    def peak_bytes(self) -> int | None:
        """As PyTorch's allocator counts."""
        return self._torch.cuda.max_memory_allocated() if self._on_gpu else None


def keras_trainee(arrays: Arrays, setting: Setting) -> Any:
    """The model from signal to logit; sides of one backend begin with the same weights."""
    import keras

    from keras_chrome.models import build_model, logit_model

    keras.config.set_dtype_policy(setting.precision)
    keras.utils.set_random_seed(setting.seed)
    _, num_bins, num_marks = arrays.train_signal.shape
    marks = [f"mark {j}" for j in range(num_marks)]
    model = build_model("attentive_chrome", marks=marks, num_bins=num_bins, transform="none")
    return logit_model(model)


@contextmanager
def built_side(arrays: Arrays, setting: Setting) -> Iterator[Side]:
    """A side, built in this process; inside it traces with its own LSTMs."""
    if setting.implementation == "reference":
        yield PyTorchSide(arrays, setting)
        return
    import keras

    from keras_chrome.layers.implementation import use_recurrence

    sides = {"tensorflow": TensorFlowSide, "jax": JaxSide}
    with use_recurrence(setting.implementation):
        yield sides[keras.backend.backend()](arrays, setting)


def cpu_name() -> str:
    return f"{os.cpu_count()} x {cpu_model()} (CPU)"
