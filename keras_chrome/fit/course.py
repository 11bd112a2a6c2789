"""How a training goes, epoch by epoch."""

import math
import time

import numpy as np
import pandas as pd

from keras_chrome.data import Genes
from keras_chrome.errors import InputError
from keras_chrome.models.task import CLASSIFICATION, Task
from keras_chrome.runs import Run
from keras_chrome.runs.files import write_csv
from keras_chrome.tables import format_duration


class Course:
    """How a training goes, epoch by epoch: its history, its best weights, when to stop.

    Args:
        run: The run, where `history.csv` is written.
        genes: The validation genes. Of several epigenomes each has its AUROC, or Pearson's r, and
            their mean is what counts: answers are not to be compared from one to another.
        epochs: Most epochs to train.
        patience: Epochs without a better validation AUROC, of regression Pearson's r, after which
            training stops; 0 for never.
        genes_an_epoch: Genes that an epoch trains on.
        name: What the printed lines begin with.
        task: What the model tells.
    """

    def __init__(
        self,
        run: Run,
        genes: Genes,
        epochs: int,
        patience: int,
        genes_an_epoch: int,
        name: str = "",
        task: Task = CLASSIFICATION,
    ) -> None:
        self.run = run
        self.truth = task.truth(genes)
        self.rows = list(genes.by_epigenome().values())
        self.epochs = epochs
        self.patience = patience
        self.genes_an_epoch = genes_an_epoch
        self.name = name
        self.task = task
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
        return 1 + int(np.argmax([row[f"val_{self.task.monitor}"] for row in self.history]))

    @property
    def has_stalled(self) -> bool:
        """Whether the last `patience` epochs were no better than one before."""
        if not (self.patience and self.history):
            return False
        return self.num_epochs - self.best_epoch >= self.patience

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to train."""
        return self.has_stalled or self.num_epochs >= self.epochs

    def end(self) -> str:
        """Why training is over, and which epoch is kept, in a line."""
        if self.has_stalled:
            epochs = "1 epoch" if self.patience == 1 else f"{self.patience} epochs"
            why = f"stopped early: no better validation {self.task.monitor_title} for {epochs}"
        elif self.num_epochs >= self.epochs:
            why = "reached the last epoch"
        else:
            why = f"stopped by a callback in epoch {self.num_epochs}"
        best = self.history[self.best_epoch - 1][f"val_{self.task.monitor}"]
        return (
            f"{self.name}{why}; kept epoch {self.best_epoch}, validation "
            f"{self.task.monitor_title} {best:.4f}"
        )

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
        answer: np.ndarray,
        weights: list[np.ndarray],
    ) -> dict[str, float]:
        """Take note of an epoch, write the history, and print a line.

        Args:
            loss: Mean training loss.
            wall_s: What the training took, without the validation.
            answer: The model's, for the validation genes.
            weights: The model's after the epoch.

        Returns:
            The epoch's row of the history.
        """
        row = {
            "epoch": self.num_epochs + 1,
            "loss": loss,
            "val_loss": self.task.mean_loss(self.truth, answer),
            f"val_{self.task.monitor}": float(
                np.mean([self.task.score(self.truth[r], answer[r]) for r in self.rows])
            ),
            "genes_per_second": self.genes_an_epoch / wall_s,
            "wall_s": wall_s,
        }
        self.history.append(row)
        self._ended.append(time.perf_counter())
        is_best = self.best_epoch == self.num_epochs
        if is_best:
            self.best_weights = weights
        write_csv(self.run.path / "history.csv", self.table())
        best = " (best)" if is_best else ""
        print(
            f"{self.name}epoch {self.num_epochs}/{self.epochs}: loss {loss:.4f}, "
            f"validation loss {row['val_loss']:.4f}, {self.task.monitor_title} "
            f"{row[f'val_{self.task.monitor}']:.4f}{best}, "
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
