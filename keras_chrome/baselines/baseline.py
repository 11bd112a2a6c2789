"""A scikit-learn pipeline that answers as our Keras models do."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.baselines.own_file import signed, trusted_content
from keras_chrome.data import broken_bins
from keras_chrome.errors import InputError
from keras_chrome.vocabulary import TRANSFORMS

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class SignalSpec:
    """The signal that a baseline takes.

    Attributes:
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        bin_bp: Width of a bin in bp.
        transform: `"log1p"`, log(1 + signal), or `"none"`, the signal as it is.

    Raises:
        InputError: If the transform is unknown.
    """

    marks: tuple[str, ...]
    num_bins: int
    bin_bp: int
    transform: str

    def __post_init__(self) -> None:
        if self.transform not in TRANSFORMS:
            raise InputError(
                f"Expected one of {TRANSFORMS}. Received: transform={self.transform!r}"
            )


class Baseline:
    """A classifier of genes that is no neural network.

    Args:
        pipeline: A scikit-learn classifier of the signal `(genes, bins, marks)`.
        spec: The signal that it takes.
        describe: What a fitted pipeline has learnt, as text; None if nobody could read it.
        min_class_genes: Genes of each class that the fit needs: as many as it has folds of
            cross-validation.
        takes_soft_targets: Whether the pipeline's classifier is fitted with the argument `target`,
            see `fit`.
        takes_valid: Likewise with `valid`.

    Attributes:
        temperature: What the log-odds of its answers are divided by.
    """

    # Of the class, for baselines that were saved before these were.
    takes_soft_targets = False
    takes_valid = False
    temperature = 1.0

    def __init__(
        self,
        pipeline: Pipeline,
        spec: SignalSpec,
        *,
        describe: Callable[[Pipeline], str] | None = None,
        min_class_genes: int = 1,
        takes_soft_targets: bool = False,
        takes_valid: bool = False,
    ) -> None:
        self.pipeline = pipeline
        self.spec = spec
        self.min_class_genes = min_class_genes
        self.takes_soft_targets = takes_soft_targets
        self.takes_valid = takes_valid
        self._describe = describe

    def fit(
        self,
        signal: np.ndarray,
        label: np.ndarray,
        *,
        target: np.ndarray | None = None,
        valid: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Baseline:
        """Fit to training genes, on all cores.

        Args:
            signal: Float `(genes, bins, marks)`, as measured.
            label: Integers `(genes,)`, 1 for high expression, 0 for low.
            target: Floats `(genes,)` in [0, 1], probability of a high label, to fit in its place;
                for a baseline that takes soft targets.
            valid: Signal and label of validation genes, for a baseline that chooses something by
                them; others do without.

        Returns:
            The baseline itself.

        Raises:
            InputError: If the signal has other bins or marks, a class has too few genes, or there
                are soft targets that the baseline does not take.
        """
        from joblib import parallel_config
        from threadpoolctl import threadpool_limits

        self._check_enough(label)
        if target is not None and not self.takes_soft_targets:
            raise InputError("Expected no soft targets for this baseline. Received: target")
        options: dict[str, Any] = {}
        if self.takes_soft_targets:
            options["classifier__target"] = target
        if self.takes_valid and valid is not None:
            features = self.pipeline[:-1].fit(self._checked(signal))
            of_valid = features.transform(self._checked(valid[0]))
            options["classifier__valid"] = (of_valid, valid[1])
        # Trees and folds take the cores: a BLAS with threads of its own would only get in their
        # way. They compute outside the interpreter's lock, so threads will do.
        with threadpool_limits(1, "blas"), parallel_config("threading", n_jobs=-1):
            self.pipeline.fit(self._checked(signal), label, **options)
        return self

    def __call__(self, signal: np.ndarray) -> dict[str, np.ndarray]:
        """Predict genes.

        Args:
            signal: Float `(genes, bins, marks)`, as measured.

        Returns:
            `probability` of high expression, float32 `(genes,)`.

        Raises:
            InputError: If the signal has other bins or marks than the baseline.
        """
        probability = self.pipeline.predict_proba(self._checked(signal))[:, 1]
        if self.temperature != 1:
            from keras_chrome.statistics.temperature import at_temperature

            probability = at_temperature(probability, self.temperature)
        return {"probability": probability.astype(np.float32)}

    def _check_enough(self, label: np.ndarray) -> None:
        low, high = np.bincount(label, minlength=2)
        if min(low, high) < self.min_class_genes:
            raise InputError(
                f"Expected at least {self.min_class_genes} training genes of each class. "
                f"Received: {low} low, {high} high"
            )

    def describe(self) -> str | None:
        """What the fit has learnt, as text of one line a rule, weight or bin.

        None where nobody could read it: forests, boosted trees, weights of hundreds of bins.
        """
        if self._describe is None:
            return None
        text = self._describe(self.pipeline)
        if self.temperature != 1:
            text += f"\nThe log-odds are divided by a temperature of {self.temperature:.3f}."
        return text

    def save(self, path: str | Path) -> None:
        """Write the baseline with joblib, signed with the user's key."""
        import joblib

        content = io.BytesIO()
        joblib.dump(self, content, compress=3)
        Path(path).write_bytes(signed(content.getvalue()))

    @classmethod
    def load(cls, path: str | Path, *, trust: bool = False) -> Baseline:
        """Read what `save` wrote.

        The file is a pickle, and loading one runs whatever code it holds: one that another user
        wrote, or an earlier version, is loaded on the user's word alone.

        Args:
            path: The file.
            trust: Whether to load it, whoever wrote it: load only files that you or people you
                trust have written.

        Raises:
            InputError: If it holds no baseline, or nobody said to trust it.
        """
        import joblib

        content = trusted_content(Path(path), trust=trust)
        try:
            baseline = joblib.load(io.BytesIO(content))
        except ImportError:
            raise
        except Exception as error:  # A broken pickle can fail with any exception.
            reason = " ".join(ascii(error).split())[:200]
            raise InputError(f"Expected a saved baseline. Received: {path} ({reason})") from error
        if not isinstance(baseline, cls):
            raise InputError(
                f"Expected a saved baseline. Received: {path} with a {type(baseline).__name__}"
            )
        return baseline

    def _checked(self, signal: np.ndarray) -> np.ndarray:
        signal = np.asarray(signal)
        expected = (self.spec.num_bins, len(self.spec.marks))
        if signal.shape[1:] != expected:
            raise InputError(
                f"Expected signal of shape (genes, {expected[0]} bins, {expected[1]} marks). "
                f"Received: shape={signal.shape}"
            )
        if len(broken := broken_bins(signal)):
            gene, bin_, mark = broken[0]
            raise InputError(
                "Expected signal of 0 or more, a finite number. Received: "
                f"{signal[gene, bin_, mark]:g} for gene {gene}, bin {bin_ + 1}, mark "
                f"{self.spec.marks[mark]}; give read counts, depth or fold change"
            )
        return signal


class ExpressionBaseline(Baseline):
    """A regressor of genes: `fit` takes log2(expression + 1) in the place of the label."""

    def __call__(self, signal: np.ndarray) -> dict[str, np.ndarray]:
        """Predict genes.

        Args:
            signal: Float `(genes, bins, marks)`, as measured.

        Returns:
            `expression`, log2(expression + 1), float32 `(genes,)`.

        Raises:
            InputError: If the signal has other bins or marks than the baseline.
        """
        return {"expression": self.pipeline.predict(self._checked(signal)).astype(np.float32)}

    def _check_enough(self, label: np.ndarray) -> None:
        """Any genes will do."""
