"""How a training goes, epoch by epoch."""

import math
import time

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from keras_chrome.data import Genes
from keras_chrome.errors import InputError
from keras_chrome.runs import Run
from keras_chrome.runs.files import write_csv
from keras_chrome.tables import format_duration


class Course:
    """How a training goes, epoch by epoch: its history, its best weights, when to stop.

    Args:
        run: The run, where `history.csv` is written.
        genes: The validation genes. Of several epigenomes each has its AUROC, and their mean is
            what counts: answers are not to be compared from one to another.
        epochs: Most epochs to train.
        patience: Epochs without a better validation AUROC after which training stops; 0 for never.
        genes_an_epoch: Genes that an epoch trains on.
        name: What the printed lines begin with.
    """

    def __init__(
        self,
        run: Run,
        genes: Genes,
        epochs: int,
        patience: int,
        genes_an_epoch: int,
        name: str = "",
    ) -> None:
        self.run = run
        self.label = genes.label
        self.rows = list(genes.by_epigenome().values())
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
            "val_auroc": float(
                np.mean([roc_auc_score(self.label[r], probability[r]) for r in self.rows])
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
