"""The training loop: compiled steps, exact validation, checkpoints."""

import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from keras_chrome.atomic import atomic_path
from keras_chrome.data import Genes
from keras_chrome.data.recorded_signal import RecordedSignal
from keras_chrome.errors import InputError
from keras_chrome.fit.course import Course
from keras_chrome.fit.recipes import Recipe
from keras_chrome.fit.replicas import ALONE, Replicas
from keras_chrome.fit.targets import Targets
from keras_chrome.fit.trainer import compiled_trainer
from keras_chrome.models.prediction import batch_predictor, predict_batches
from keras_chrome.models.task import CLASSIFICATION, Task
from keras_chrome.runs import Run
from keras_chrome.runs.files import write_csv
from keras_chrome.runs.json_reader import checked
from keras_chrome.runs.run import WITHOUT_CHECKPOINT, read_checkpoint

_VALIDATION_BATCH_SIZE = 512


def train(
    trainee: keras.Model,
    model: keras.Model,
    train_genes: Genes,
    valid_genes: Genes,
    *,
    run: Run,
    recipe: Recipe,
    targets: Targets,
    seed: int,
    epigenome_bias: bool = False,
    task: Task = CLASSIFICATION,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    replicas: Replicas = ALONE,
) -> pd.DataFrame:
    """Train as a recipe says, and leave the weights of the best epoch in `model`.

    Every epoch visits the genes in an order that depends on `seed` and the epoch alone, so a
    resumed training sees what an unbroken one would. Genes that do not fill the epoch's last batch
    are left out of that epoch, other ones each time.

    Args:
        trainee: Model from signal to logit `(batch, 1)`, in the precision to train in.
        model: The float32 model to validate and keep, with the same weights in the same order.
        train_genes: Genes to train on.
        valid_genes: Genes to choose the epoch by.
        run: The run, where `history.csv`, `checkpoints/` and `logs/` are written.
        recipe: How to train.
        targets: What the training genes are trained towards.
        seed: Seeds the order of the genes, and what is altered in them.
        epigenome_bias: Whether each epigenome has a bias of its own in training.
        task: What the model tells.
        resume: Go on from the checkpoint of the run, if there is one.
        callbacks: Called after our own, as `fit` says.
        replicas: The devices to train on, in whose scope the models were made.

    Returns:
        One row an epoch: epoch, loss, val_loss, val_auroc, genes_per_second, wall_s.

    Raises:
        InputError: If the loss becomes infinite or NaN, or the devices cannot share a batch.
    """
    batch_size = recipe.for_genes(len(train_genes)).batch_size
    steps = len(train_genes) // batch_size
    epigenomes = train_genes.by_epigenome() if epigenome_bias else {}
    if batch_size % replicas.num_replicas:
        raise InputError(
            f"Expected a batch size that {replicas.num_replicas} devices can share evenly. "
            f"Received: batch_size={batch_size}; take another --batch-size"
        )
    with replicas.scope():
        trainer = compiled_trainer(
            trainee, recipe, steps=steps, seed=seed, num_epigenomes=len(epigenomes), task=task
        )
    epoch_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
    course = Course(run, valid_genes, recipe.epochs, recipe.patience, steps * batch_size, task=task)
    between_epochs = _BetweenEpochs(course, model, valid_genes.signal, epoch_variable)
    between_epochs.set_model(trainer)
    if resume:
        replicas.share_file(run.checkpoint_path)
        between_epochs.restore()
    if not course.is_over:
        examples = [train_genes.signal, targets.target]
        if recipe.regression_weight:
            examples.append(targets.log_expression)
        if epigenomes:
            examples.append(centred_one_hot(train_genes.epigenome))
        data: Any
        if replicas.strategy is None:
            data = epoch_of_batches(examples, batch_size, seed, epoch_variable)
            compile_s = trainer.compile_step(next(iter(data)))
            print(f"compiled in {compile_s:.1f} s", flush=True)
        else:
            epochs = range(course.num_epochs, recipe.epochs)
            data = _on_replicas(_epochs_of_batches(examples, batch_size, seed, epochs), replicas)
        trainer.fit(
            data,
            steps_per_epoch=None if replicas.strategy is None else steps,
            initial_epoch=course.num_epochs,
            epochs=recipe.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[
                _Bar(course),
                between_epochs,
                *(_tensorboard(run.path / "logs") if replicas.is_chief else ()),
                *callbacks,
                _AsTheChief(replicas),
            ],
        )
    print(course.end(), flush=True)
    model.set_weights(course.best_weights)
    return course.table()


def epoch_of_batches(
    examples: Sequence[np.ndarray], batch_size: int, seed: int, epoch: tf.Variable
) -> tf.data.Dataset:
    """Batches of one epoch, shuffled anew whenever `epoch` has changed.

    Args:
        examples: The genes' signal `(genes, bins, marks)`, and any numbers `(genes,)` or
            `(genes, numbers)`.
        batch_size: Genes a batch.
        seed: Of the order.
        epoch: Counted from 0.

    Returns:
        Batches float32 `(batch, bins, marks)`, `(batch, 1)` and so on.
    """
    num_genes = len(examples[0])
    return (
        tf.data.Dataset.range(1)
        .flat_map(lambda _: _rows(num_genes, batch_size, seed, epoch))
        .apply(tf.data.experimental.assert_cardinality(num_genes // batch_size))
        .map(_gather(examples))
        .prefetch(2)
        .with_options(_options())
    )


def _epochs_of_batches(
    examples: Sequence[np.ndarray], batch_size: int, seed: int, epochs: range
) -> tf.data.Dataset:
    """The batches of `epoch_of_batches` of one epoch after the other, and then no end.

    Batches without an end have static shapes on several machines, and none of these asks the others
    whether they have another.
    """
    num_genes = len(examples[0])
    return (
        tf.data.Dataset.range(epochs.start, epochs.stop)
        .flat_map(lambda epoch: _rows(num_genes, batch_size, seed, epoch))
        .map(_gather(examples))
        .repeat()
        .prefetch(2)
        .with_options(_options())
    )


def _on_replicas(batches: tf.data.Dataset, replicas: Replicas) -> Any:
    """Give every device every batch, of which it trains on its share."""
    assert replicas.strategy is not None

    def of_process(_: tf.distribute.InputContext) -> tf.data.Dataset:
        return batches.flat_map(
            lambda *batch: tf.data.Dataset.from_tensors(batch).repeat(replicas.num_local)
        ).apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))

    return replicas.strategy.distribute_datasets_from_function(of_process)


def _rows(num_genes: int, batch_size: int, seed: int, epoch: Any) -> tf.data.Dataset:
    """The positions of the genes of each batch of an epoch."""
    order = tf.data.Dataset.from_tensor_slices(order_of_genes(num_genes, seed, epoch))
    return order.batch(batch_size, drop_remainder=True)


def _gather(examples: Sequence[np.ndarray]) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    """A function from positions to what is there."""
    signal, *numbers = examples
    tensors = [tf.constant(v.reshape(len(signal), -1), tf.float32) for v in numbers]
    if isinstance(signal, RecordedSignal):
        read = signal.gather
    else:
        read = functools.partial(tf.gather, tf.constant(signal))
    return lambda rows: (read(rows), *(tf.gather(tensor, rows) for tensor in tensors))


def _options() -> tf.data.Options:
    # The thread that tunes a pipeline makes the end of an epoch wait for its next look, up to
    # five seconds.
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def centred_one_hot(epigenome: np.ndarray) -> np.ndarray:
    """Which epigenome each gene is of, in numbers of mean 0 over the epigenomes.

    What a linear layer makes of them are biases that sum to 0, however it is trained: without the
    layer a model answers as for the mean of the epigenomes.

    Args:
        epigenome: Text `(genes,)`.

    Returns:
        float32 `(genes, epigenomes)`.
    """
    names, position = np.unique(epigenome, return_inverse=True)
    one_hot = np.eye(len(names), dtype=np.float32)
    centred: np.ndarray = (one_hot - one_hot.mean(axis=1))[position]
    return centred


def order_of_genes(num_genes: int, seed: int, epoch: int | tf.Variable) -> tf.Tensor:
    """The order in which an epoch, counted from 0, visits the training genes: int64 positions."""
    positions = tf.range(num_genes, dtype=tf.int64)
    return tf.random.experimental.stateless_shuffle(positions, [seed, epoch])


class _Bar(keras.callbacks.Callback):
    """On a terminal one bar of the whole training, which is gone when it is over."""

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        num_genes = self.course.genes_an_epoch
        self.bar = tqdm(
            desc="training",
            total=self.course.epochs * num_genes,
            initial=self.course.num_epochs * num_genes,
            unit=" genes",
            leave=False,
            dynamic_ncols=True,
            disable=None,
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        # The last look of an epoch may count steps beyond its end.
        of_epoch = min((batch + 1) / self.params["steps"], 1)
        trained = (self.course.num_epochs + of_epoch) * self.course.genes_an_epoch
        self.bar.update(int(trained) - self.bar.n)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.bar.close()


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
        trained = self.model.get_weights()
        # Keras puts the averages in the weights' place, if the recipe has any. Both models may
        # be of the same variables.
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        kept = self.model.trainee.get_weights()
        self.float32_model.set_weights(kept)
        answers = predict_batches(self.predictor, self.valid_signal, _VALIDATION_BATCH_SIZE)
        self.model.set_weights(trained)
        with tqdm.external_write_mode():  # its line comes above the bar
            row = self.course.end_epoch(
                loss=logs["loss"],
                wall_s=wall_s,
                answer=answers[self.course.task.output],
                weights=kept,
            )
        # TensorBoard's callback comes next and writes what it finds in the logs.
        logs |= {name: value for name, value in row.items() if name.startswith("val_")}
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
        arrays = read_checkpoint(path)
        state, best = self._state(), self.float32_model.weights
        wanted = {
            **{f"state_{i}": v.shape for i, v in enumerate(state)},
            **{f"best_{i}": v.shape for i, v in enumerate(best)},
            "history": (),
        }
        if {name: array.shape for name, array in arrays.items()} != wanted:
            raise InputError(
                f"Expected a checkpoint of the same model and precision. Received: {path}; "
                f"{WITHOUT_CHECKPOINT}"
            )
        self.course.history = self._history(str(arrays["history"]), path)
        for i, variable in enumerate(state):
            variable.assign(arrays[f"state_{i}"])
        self.course.best_weights = [arrays[f"best_{i}"] for i in range(len(best))]
        # A kill may have come between the history and the checkpoint of an epoch.
        write_csv(self.course.run.path / "history.csv", self.course.table())
        print(f"resuming after epoch {self.course.num_epochs}", flush=True)

    def _history(self, text: str, path: Path) -> list[dict[str, float]]:
        """The epochs that a checkpoint tells of."""
        try:
            history: list[dict[str, float]] = checked(
                "history", json.loads(text), list[dict[str, float]]
            )
            for row in history:
                row[f"val_{self.course.task.monitor}"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(
                f"Expected a checkpoint with the course of training. Received: {path} "
                f"({type(error).__name__}); {WITHOUT_CHECKPOINT}"
            ) from None
        return history


class _AsTheChief(keras.callbacks.Callback):
    """Lets all processes stop after the same epoch: others may round otherwise than the chief."""

    def __init__(self, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        decided = self.replicas.from_chief(bytes([self.model.stop_training]))
        self.model.stop_training = bool(decided[0])


def _tensorboard(logs_path: Path) -> list[keras.callbacks.Callback]:
    """Keras's TensorBoard callback, if TensorBoard is installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        print("no TensorBoard logs: `pip install keras-chrome[tensorboard]` adds them")
        return []
    return [keras.callbacks.TensorBoard(logs_path, write_graph=False)]
