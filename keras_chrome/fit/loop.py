"""The training loop: compiled steps, exact validation, checkpoints."""

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from keras_chrome.data import Genes
from keras_chrome.errors import InputError
from keras_chrome.layers.implementation import recurrence_in_use
from keras_chrome.models.prediction import batch_predictor, predict_batches
from keras_chrome.models.sharding import split_batch
from keras_chrome.runs import Run
from keras_chrome.runs.files import atomic_path, write_csv
from keras_chrome.tables import format_duration

# Python looks at the training this many times an epoch: often enough for a progress bar.
_REPORTS_AN_EPOCH = 20
_VALIDATION_BATCH_SIZE = 512


class ShardedTrainer(keras.Model):
    """Trains on shards of each batch side by side, one XLA program a shard.

    Gradients are averaged over the shards before the optimizer clips and applies them, so a step
    is the same as on the whole batch. Dropout draws its masks from one random state, which makes
    the shards wait for each other.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mean_loss = keras.metrics.Mean("loss")
        # XLA cannot compile cuDNN.
        is_cudnn = recurrence_in_use() == "stock" and tf.config.list_physical_devices("GPU")
        self._gradients = tf.function(
            self._loss_and_gradients, jit_compile=not is_cudnn, autograph=False
        )

    @property
    def metrics(self) -> list[keras.Metric]:
        """The mean loss of the epoch so far."""
        return [self.mean_loss]

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Train on a batch of static size: signal `(batch, bins, marks)`, label `(batch, 1)`."""
        shards = zip(*map(split_batch, data), strict=True)
        losses, gradients = zip(*(self._gradients(*shard) for shard in shards), strict=True)
        scale = 1.0 / len(losses)
        self.optimizer.apply(
            [scale * tf.add_n(parts) for parts in zip(*gradients, strict=True)],
            self.trainable_variables,
        )
        self.mean_loss.update_state(scale * tf.add_n(losses))
        return {"loss": self.mean_loss.result()}

    def compile_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> float:
        """Let XLA compile the gradients for batches of this shape; the seconds it takes."""
        started = time.perf_counter()
        state = [variable.numpy() for variable in self.non_trainable_variables]
        signal, label = (split_batch(part)[0] for part in data)
        self._gradients(signal, label)
        for variable, value in zip(self.non_trainable_variables, state, strict=True):
            variable.assign(value)  # Dropout's random state has moved on.
        return time.perf_counter() - started

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save what is trained, without what only training needs: any process can load it."""
        keras.Model(self.input, self.output).save(*args, **kwargs)

    def _loss_and_gradients(
        self, signal: tf.Tensor, label: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=label, y_pred=self(signal, training=True))
            # Float16 gradients underflow unless the loss is scaled; `apply` scales them back.
            scaled = self.optimizer.scale_loss(loss)
        return loss, tape.gradient(scaled, self.trainable_variables)


def train(
    trainee: keras.Model,
    model: keras.Model,
    train_genes: Genes,
    valid_genes: Genes,
    *,
    run: Run,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    clip_norm: float | None,
    patience: int,
    seed: int,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> pd.DataFrame:
    """Train until the validation AUROC stops rising, and leave the best weights in `model`.

    Every epoch visits the genes in an order that depends on `seed` and the epoch alone, so a
    resumed training sees what an unbroken one would. Genes that do not fill the epoch's last batch
    are left out of that epoch, other ones each time.

    Args:
        trainee: Model from signal to logit `(batch, 1)`, in the precision to train in.
        model: The float32 model to validate and keep, with the same weights in the same order.
        train_genes: Genes to train on.
        valid_genes: Genes to choose the epoch by.
        run: The run, where `history.csv`, `checkpoints/` and `logs/` are written.
        epochs: Most epochs to train.
        batch_size: Genes a step.
        learning_rate: Adam's.
        clip_norm: Greatest norm of a step's gradient; None for no limit.
        patience: Epochs without a better validation AUROC after which training stops.
        seed: Seeds the order of the genes.
        resume: Go on from the checkpoint of the run, if there is one.
        callbacks: Called after our own, as `fit` says.

    Returns:
        One row an epoch: epoch, loss, val_loss, val_auroc, genes_per_second, wall_s.

    Raises:
        InputError: If the loss becomes infinite or NaN.
    """
    batch_size = min(batch_size, len(train_genes))
    steps = len(train_genes) // batch_size
    trainer = compiled_trainer(
        trainee, steps=steps, learning_rate=learning_rate, clip_norm=clip_norm
    )
    epoch_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
    course = Course(run, valid_genes.label, epochs, patience, steps * batch_size)
    between_epochs = _BetweenEpochs(course, model, valid_genes.signal, epoch_variable)
    between_epochs.set_model(trainer)
    if resume:
        between_epochs.restore()
    if not course.is_over:
        batches = epoch_of_batches(train_genes, batch_size, seed, epoch_variable)
        compile_s = trainer.compile_step(next(iter(batches)))
        print(f"compiled in {compile_s:.1f} s", flush=True)
        trainer.fit(
            batches,
            initial_epoch=course.num_epochs,
            epochs=epochs,
            shuffle=False,
            verbose=int(sys.stdout.isatty()),
            callbacks=[between_epochs, *_tensorboard(run.path / "logs"), *callbacks],
        )
    print(course.end(), flush=True)
    model.set_weights(course.best_weights)
    return course.table()


def compiled_trainer(
    trainee: keras.Model, *, steps: int, learning_rate: float, clip_norm: float | None
) -> ShardedTrainer:
    """A trainer of `trainee`'s weights, ready to `fit`; `steps` are those of an epoch."""
    trainer = ShardedTrainer(trainee.input, trainee.output)
    trainer.compile(
        keras.optimizers.Adam(learning_rate, global_clipnorm=clip_norm),
        keras.losses.BinaryCrossentropy(from_logits=True),
        steps_per_execution=math.ceil(steps / _REPORTS_AN_EPOCH),
        jit_compile=False,
    )
    trainer.optimizer.build(trainer.trainable_variables)
    return trainer


def epoch_of_batches(
    genes: Genes, batch_size: int, seed: int, epoch: tf.Variable
) -> tf.data.Dataset:
    """Batches of one epoch, shuffled anew whenever `epoch` has changed."""
    signal = tf.constant(genes.signal)
    label = tf.constant(genes.label[:, np.newaxis], tf.float32)

    def shuffled(_: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(order_of_genes(len(genes), seed, epoch))

    # The thread that tunes a pipeline makes the end of an epoch wait for its next look, up to
    # five seconds.
    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        tf.data.Dataset.range(1)
        .flat_map(shuffled)
        .batch(batch_size, drop_remainder=True)
        .apply(tf.data.experimental.assert_cardinality(len(genes) // batch_size))
        .map(lambda rows: (tf.gather(signal, rows), tf.gather(label, rows)))
        .prefetch(2)
        .with_options(options)
    )


def order_of_genes(num_genes: int, seed: int, epoch: int | tf.Variable) -> tf.Tensor:
    """The order in which an epoch, counted from 0, visits the training genes: int64 positions."""
    positions = tf.range(num_genes, dtype=tf.int64)
    return tf.random.experimental.stateless_shuffle(positions, [seed, epoch])


class Course:
    """How a training goes, epoch by epoch: its history, its best weights, when to stop.

    Args:
        run: The run, where `history.csv` is written.
        label: Labels of the validation genes.
        epochs: Most epochs to train.
        patience: Epochs without a better validation AUROC after which training stops.
        genes_an_epoch: Genes that an epoch trains on.
        name: What the printed lines begin with.
    """

    def __init__(
        self,
        run: Run,
        label: np.ndarray,
        epochs: int,
        patience: int,
        genes_an_epoch: int,
        name: str = "",
    ) -> None:
        self.run = run
        self.label = label
        self.epochs = epochs
        self.patience = patience
        self.genes_an_epoch = genes_an_epoch
        self.name = name
        self.history: list[dict[str, float]] = []
        self.best_weights: list[np.ndarray] = []
        self._ended: list[float] = []

    @property
    def num_epochs(self) -> int:
        """Epochs trained so far."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """Counted from 1; the first of equals."""
        return 1 + int(np.argmax([row["val_auroc"] for row in self.history]))

    @property
    def has_stalled(self) -> bool:
        """Whether the last `patience` epochs were no better than one before."""
        return bool(self.history) and self.num_epochs - self.best_epoch >= self.patience

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to train."""
        return self.has_stalled or self.num_epochs >= self.epochs

    def end(self) -> str:
        """Why training is over, and which epoch is kept, in a line."""
        if self.has_stalled:
            epochs = "1 epoch" if self.patience == 1 else f"{self.patience} epochs"
            why = f"stopped early: no better validation AUROC for {epochs}"
        elif self.num_epochs >= self.epochs:
            why = "reached the last epoch"
        else:
            why = f"stopped by a callback in epoch {self.num_epochs}"
        auroc = self.history[self.best_epoch - 1]["val_auroc"]
        return f"{self.name}{why}; kept epoch {self.best_epoch}, validation AUROC {auroc:.4f}"

    def table(self) -> pd.DataFrame:
        """One row an epoch: epoch, loss, val_loss, val_auroc, genes_per_second, wall_s."""
        return pd.DataFrame(self.history)

    def check_loss(self, loss: float) -> None:
        """See that the loss is finite.

        Raises:
            InputError: If it is not.
        """
        if not math.isfinite(loss):
            raise InputError(
                f"Expected a finite loss. Received: loss={loss} in epoch {self.num_epochs + 1}. "
                "Lower --learning-rate, set --clip-norm, or use --precision float32"
            )

    def end_epoch(
        self,
        *,
        loss: float,
        wall_s: float,
        probability: np.ndarray,
        weights: list[np.ndarray],
        verbose: bool,
    ) -> dict[str, float]:
        """Take note of an epoch, write the history, and print a line if `verbose`.

        Args:
            loss: Mean training loss.
            wall_s: What the training took, without the validation.
            probability: Of high expression, for the validation genes.
            weights: The model's after the epoch.
            verbose: Whether to print.

        Returns:
            The epoch's row of the history.
        """
        row = {
            "epoch": self.num_epochs + 1,
            "loss": loss,
            "val_loss": float(log_loss(self.label, probability, labels=[0, 1])),
            "val_auroc": float(roc_auc_score(self.label, probability)),
            "genes_per_second": self.genes_an_epoch / wall_s,
            "wall_s": wall_s,
        }
        self.history.append(row)
        self._ended.append(time.perf_counter())
        is_best = self.best_epoch == self.num_epochs
        if is_best:
            self.best_weights = weights
        write_csv(self.run.path / "history.csv", self.table())
        if verbose:
            best = " (best)" if is_best else ""
            print(
                f"{self.name}epoch {self.num_epochs}/{self.epochs}: loss {loss:.4f}, "
                f"validation loss {row['val_loss']:.4f}, AUROC {row['val_auroc']:.4f}{best}, "
                f"{wall_s:.1f} s{self._time_left(wall_s)}",
                flush=True,
            )
        return row

    def _time_left(self, wall_s: float) -> str:
        if self.is_over:
            return ""
        # The first epoch of a process takes longer: it compiles.
        seconds = np.median(np.diff(self._ended)) if len(self._ended) > 1 else wall_s
        return f", at most {format_duration(float(seconds) * (self.epochs - self.num_epochs))} left"


class _BetweenEpochs(keras.callbacks.Callback):
    """Validation, checkpoint and the decision to stop, as Keras calls for them."""

    def __init__(
        self,
        course: Course,
        float32_model: keras.Model,
        valid_signal: np.ndarray,
        epoch_variable: tf.Variable,
    ) -> None:
        super().__init__()
        self.course = course
        self.float32_model = float32_model
        self.predictor = batch_predictor(float32_model)
        self.valid_signal = valid_signal
        self.epoch_variable = epoch_variable

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch_variable.assign(epoch)
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.course.check_loss((logs or {})["loss"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {} if logs is None else logs
        wall_s = time.perf_counter() - self.started
        self.float32_model.set_weights(self.model.get_weights())
        answers = predict_batches(self.predictor, self.valid_signal, _VALIDATION_BATCH_SIZE)
        row = self.course.end_epoch(
            loss=logs["loss"],
            wall_s=wall_s,
            probability=answers["probability"],
            weights=self.float32_model.get_weights(),
            # On a terminal Keras's progress bar says the same.
            verbose=not sys.stdout.isatty(),
        )
        # TensorBoard's callback comes next and writes what it finds in the logs.
        logs["val_loss"], logs["val_auroc"] = row["val_loss"], row["val_auroc"]
        self._save()
        if self.course.has_stalled:  # or as a callback has decided in the epoch
            self.model.stop_training = True

    def _state(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def _save(self) -> None:
        arrays: dict[str, Any] = {"history": np.array(json.dumps(self.course.history))}
        arrays |= {f"state_{i}": np.asarray(v) for i, v in enumerate(self._state())}
        arrays |= {f"best_{i}": w for i, w in enumerate(self.course.best_weights)}
        with atomic_path(self.course.run.checkpoint_path) as temporary:
            np.savez(temporary, **arrays)

    def restore(self) -> None:
        """Take up the checkpoint, if there is one."""
        path = self.course.run.checkpoint_path
        if not path.is_file():
            return
        with np.load(path) as arrays:
            state = self._state()
            if [v.shape for v in state] != [
                arrays[name].shape for name in arrays.files if name.startswith("state_")
            ]:
                raise InputError(
                    f"Expected a checkpoint of the same model and precision. Received: {path}"
                )
            self.course.history = json.loads(str(arrays["history"]))
            for i, variable in enumerate(state):
                variable.assign(arrays[f"state_{i}"])
            self.course.best_weights = [
                arrays[f"best_{i}"] for i in range(len(self.float32_model.weights))
            ]
        print(f"resuming after epoch {self.course.num_epochs}")


def _tensorboard(logs_path: Path) -> list[keras.callbacks.Callback]:
    """Keras's TensorBoard callback, if TensorBoard is installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        print("no TensorBoard logs: `pip install keras-chrome[tensorboard]` adds them")
        return []
    return [keras.callbacks.TensorBoard(logs_path, write_graph=False)]
