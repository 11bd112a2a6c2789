"""The training loop: compiled steps, exact validation, checkpoints."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from keras_chrome.data import Genes
from keras_chrome.errors import InputError
from keras_chrome.prediction import batch_predictor, predict_batches
from keras_chrome.run_directory import Run, atomic_path, write_csv
from keras_chrome.sharding import split_batch

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

    @tf.function(jit_compile=True, autograph=False)
    def _gradients(self, signal: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
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
    course = _Course(model, valid_genes, run, epoch_variable, patience, steps * batch_size)
    course.set_model(trainer)
    if resume:
        course.restore()
    if course.num_epochs < epochs and not course.has_stalled:
        trainer.fit(
            epoch_of_batches(train_genes, batch_size, seed, epoch_variable),
            initial_epoch=course.num_epochs,
            epochs=epochs,
            shuffle=False,
            verbose=int(sys.stdout.isatty()),
            callbacks=[course, *_tensorboard(run.path / "logs")],
        )
    course.keep_best()
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
    positions = tf.range(len(genes), dtype=tf.int64)

    def shuffled(_: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(positions, [seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order)

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


class _Course(keras.callbacks.Callback):
    """What happens between epochs: validation, history, checkpoint, the decision to stop."""

    def __init__(
        self,
        float32_model: keras.Model,
        valid_genes: Genes,
        run: Run,
        epoch_variable: tf.Variable,
        patience: int,
        genes_an_epoch: int,
    ) -> None:
        super().__init__()
        self.float32_model = float32_model
        self.predictor = batch_predictor(float32_model)
        self.valid_genes = valid_genes
        self.run = run
        self.epoch_variable = epoch_variable
        self.patience = patience
        self.genes_an_epoch = genes_an_epoch
        self.history: list[dict[str, float]] = []
        self.best_weights: list[np.ndarray] = []

    @property
    def num_epochs(self) -> int:
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """Counted from 1; the first of equals."""
        return 1 + int(np.argmax([row["val_auroc"] for row in self.history]))

    @property
    def has_stalled(self) -> bool:
        """Whether the last `patience` epochs were no better than one before."""
        return bool(self.history) and self.num_epochs - self.best_epoch >= self.patience

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.history)

    def keep_best(self) -> None:
        self.float32_model.set_weights(self.best_weights)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch_variable.assign(epoch)
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if not math.isfinite(loss := (logs or {})["loss"]):
            raise InputError(
                f"Expected a finite loss. Received: loss={loss} in epoch {self.num_epochs + 1}. "
                "Lower --learning-rate, set --clip-norm, or use --precision float32"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {} if logs is None else logs
        wall_s = time.perf_counter() - self.started
        self.float32_model.set_weights(self.model.get_weights())
        probability = predict_batches(
            self.predictor, self.valid_genes.signal, _VALIDATION_BATCH_SIZE
        )["probability"]
        label = self.valid_genes.label
        # TensorBoard's callback comes next and writes what it finds in the logs.
        logs["val_loss"] = float(log_loss(label, probability, labels=[0, 1]))
        logs["val_auroc"] = float(roc_auc_score(label, probability))
        self.history.append(
            {
                "epoch": epoch + 1,
                "loss": logs["loss"],
                "val_loss": logs["val_loss"],
                "val_auroc": logs["val_auroc"],
                "genes_per_second": self.genes_an_epoch / wall_s,
                "wall_s": wall_s,
            }
        )
        is_best = self.best_epoch == self.num_epochs
        if is_best:
            self.best_weights = self.float32_model.get_weights()
        write_csv(self.run.path / "history.csv", self.table())
        self._save()
        if not sys.stdout.isatty():  # On a terminal Keras's progress bar says the same.
            best = " (best)" if is_best else ""
            print(
                f"epoch {epoch + 1}: loss {logs['loss']:.4f}, "
                f"validation loss {logs['val_loss']:.4f}, AUROC {logs['val_auroc']:.4f}{best}, "
                f"{wall_s:.1f} s",
                flush=True,
            )
        self.model.stop_training = self.has_stalled

    def _state(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def _save(self) -> None:
        arrays: dict[str, Any] = {"history": np.array(json.dumps(self.history))}
        arrays |= {f"state_{i}": np.asarray(v) for i, v in enumerate(self._state())}
        arrays |= {f"best_{i}": w for i, w in enumerate(self.best_weights)}
        with atomic_path(self.run.checkpoint_path) as temporary:
            np.savez(temporary, **arrays)

    def restore(self) -> None:
        """Take up the checkpoint, if there is one."""
        if not self.run.checkpoint_path.is_file():
            return
        with np.load(self.run.checkpoint_path) as arrays:
            self.history = json.loads(str(arrays["history"]))
            state = self._state()
            if [v.shape for v in state] != [
                arrays[name].shape for name in arrays.files if name.startswith("state_")
            ]:
                raise InputError(
                    "Expected a checkpoint of the same model and precision. Received: "
                    f"{self.run.checkpoint_path}"
                )
            for i, variable in enumerate(state):
                variable.assign(arrays[f"state_{i}"])
            self.best_weights = [
                arrays[f"best_{i}"] for i in range(len(self.float32_model.weights))
            ]
        print(f"resuming after epoch {self.num_epochs}")


def _tensorboard(logs_path: Path) -> list[keras.callbacks.Callback]:
    """Keras's TensorBoard callback, if TensorBoard is installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        print("no TensorBoard logs: `pip install keras-chrome[tensorboard]` adds them")
        return []
    return [keras.callbacks.TensorBoard(logs_path, write_graph=False)]
