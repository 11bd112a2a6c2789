"""Which importance method to believe, for which question.

As a command: `python -m keras_chrome.faithfulness RUN`. It trains the run's model with other seeds
and on shuffled labels, once: the same command again finds those runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_chrome.data import read_columns
from keras_chrome.errors import InputError
from keras_chrome.faithfulness.config import FaithfulnessConfig
from keras_chrome.faithfulness.measures import MEASURES, Faithfulness
from keras_chrome.faithfulness.trainings import other_trainings
from keras_chrome.importance import METHODS, compute_importance, methods_of
from keras_chrome.models import build_model
from keras_chrome.runs import open_study
from keras_chrome.runs.study import ON_PROBABILITY
from keras_chrome.statistics.bootstrap import known_mean, mean_interval95, with_interval

if TYPE_CHECKING:
    import keras

    from keras_chrome.runs import Run, Study

_NUM_PERMUTATIONS = 5
# Marks cover domains of a kilobase and more, importance jumps from bin to bin.
_SMOOTHING_BP = 1500


def faithfulness(
    run_dir: str | Path,
    config: FaithfulnessConfig | None = None,
    *,
    directory: str | Path | None = None,
) -> Faithfulness:
    """Try all importance methods of a model side by side.

    Args:
        run_dir: A run directory of a network. Seeds and shuffled labels need one that `fit` wrote.
        config: The options.
        directory: Where the further runs are trained; RUN/faithfulness if None.

    Returns:
        The tables. What could not be measured has no row, and a line is printed that says why.

    Raises:
        InputError: If the run is missing or a baseline, a model lacks what a method needs, or no
            gene is predicted ON.

    Example:
        >>> faithfulness("runs/demo", FaithfulnessConfig(num_seeds=1)).scores
    """
    import pandas as pd

    config = config or FaithfulnessConfig()
    study = open_study(run_dir, split=config.split)
    _network(study.model)
    directory = Path(directory or study.run.path / "faithfulness").expanduser()
    other_runs = other_trainings(study.run, config, directory)
    rng = np.random.default_rng(config.seed)
    is_chosen = np.zeros(len(study.genes), bool)
    is_chosen[rng.permutation(len(study.genes))[: config.max_genes]] = True
    suite = _Suite(study, is_chosen, config)
    scores = [
        *suite.attention_scores(),
        *suite.order_scores(),
        *suite.learning_scores(other_runs.get("permuted-labels")),
        *suite.seed_scores([r for name, r in other_runs.items() if name.startswith("seed-")]),
        *suite.planted_scores(),
    ]
    return Faithfulness(
        pd.DataFrame(scores, columns=list(_Score._fields)),
        pd.concat(suite.curves, ignore_index=True),
        pd.DataFrame(suite.cascade, columns=["method", "layer", "spearman"]),
    )


def _network(model: Any) -> keras.Model:
    from keras_chrome.importance.network import require_network

    return require_network(model, "faithfulness")


class _Score(NamedTuple):
    question: str
    measure: str
    method: str
    value: float
    low: float
    high: float
    num_genes: int
    better: str


def _score(measure: str, method: str, estimate: Iterable[float], num_genes: int) -> _Score:
    """A value with its interval."""
    value, low, high = map(float, estimate)
    about = MEASURES[measure]
    return _Score(about.question, measure, method, value, low, high, num_genes, about.better)


def _mean_score(measure: str, method: str, of_genes: np.ndarray, *, seed: int) -> _Score:
    """The mean over genes of what was measured of each, with its interval."""
    estimate = known_mean(of_genes), *mean_interval95(of_genes, seed=seed)
    return _score(measure, method, estimate, int(np.isfinite(of_genes).sum()))


class _Suite:
    """The measures, on a run's genes; importance is computed once."""

    def __init__(self, study: Study, is_chosen: np.ndarray, config: FaithfulnessConfig) -> None:
        self.study = study
        self.model = _network(study.model)
        self.config = config
        self.is_chosen = is_chosen
        self.genes = study.genes.subset(study.genes.split, is_chosen)
        self.background = study.background()
        # One model whose weights are exchanged: what is asked of it is compiled once.
        self.scratch = _network(study.run.load_model())
        self.methods = list(config.methods or methods_of(self.model, resolves_bins=True))
        self.importance = self._importances(self.scratch.get_weights())
        self.trainings = [self.importance]
        self.curves: list[Any] = []
        self.cascade: list[tuple[str, str, float]] = []

    def _importances(self, weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The importance by each method in a model of these weights."""
        self.scratch.set_weights(weights)
        return {
            method: compute_importance(
                method, self.scratch, self.genes.signal, background=self.background
            )
            for method in self.methods
        }

    def attention_scores(self) -> Iterator[_Score]:
        """The prediction with the attention made uniform, or its weights in other places."""
        from keras_chrome.faithfulness.altered_attention import LAYERS, alter, alterable_copy
        from keras_chrome.models.prediction import predict

        model, genes, seed = self.model, self.study.genes, self.config.seed
        names = [name for name in LAYERS if name in model.output]
        whole = predict(model, genes.signal).probability
        copy = alterable_copy(model)
        for altered in dict.fromkeys([*((name,) for name in names), tuple(names)]):
            if not altered:
                continue
            alter(copy, altered)
            uniform = [predict(copy, genes.signal).probability]
            permuted = []
            for permutation in range(_NUM_PERMUTATIONS):
                alter(copy, altered, seed=seed + permutation)
                permuted.append(predict(copy, genes.signal).probability)
            for how, probabilities in (("uniform", uniform), ("permuted", permuted)):
                method = f"{' and '.join(altered)} {how}"
                answers = np.stack(probabilities)
                change = abs(answers - whole)
                flips = (answers >= ON_PROBABILITY) != (whole >= ON_PROBABILITY)
                yield _mean_score("change", method, change.mean(axis=0), seed=seed)
                yield _mean_score("flips", method, flips.mean(axis=0), seed=seed)
                loss = auroc_loss(genes.label, whole, probabilities)
                estimate = with_interval(loss, len(genes), seed=seed)
                yield _score("auroc_loss", method, estimate, len(genes))

    def order_scores(self) -> Iterator[_Score]:
        """Deletion and insertion in the methods' orders, and agreement with occlusion."""
        import pandas as pd

        from keras_chrome.faithfulness.deletion_curves import FRACTIONS, deletion_curves
        from keras_chrome.models.prediction import predict

        signal, seed = self.genes.signal, self.config.seed
        is_on = predict(self.model, signal).probability >= ON_PROBABILITY
        if not is_on.any():
            raise InputError(
                f"Expected genes predicted ON among the {len(signal)} drawn of "
                f"{self.study.dataset.name}, split {self.config.split!r}. Received: none; raise "
                "--max-genes"
            )
        distance = self.study.tss_distance_bp[np.newaxis, :, np.newaxis]
        orders = {
            "random": np.random.default_rng(seed).random(signal.shape),
            "tss_distance": np.broadcast_to(-distance, signal.shape),
            "signal": signal,
            **self.importance,
        }
        areas = {}
        for method, importance in orders.items():
            curves = deletion_curves(self.model, signal[is_on], importance[is_on], seed=seed)
            areas[method] = curves.areas()
            for kind, curve in curves._asdict().items():
                columns = {"kind": kind, "method": method, "fraction": FRACTIONS}
                self.curves.append(pd.DataFrame({**columns, "probability": curve.mean(axis=1)}))
        for method, (deletion, insertion) in areas.items():
            if method != "random":
                yield _mean_score("deletion", method, areas["random"][0] - deletion, seed=seed)
                yield _mean_score("insertion", method, insertion - areas["random"][1], seed=seed)
        occlusion = self.importance.get("occlusion")
        if occlusion is None:
            return
        for method, importance in orders.items():
            if method != "occlusion":
                is_signed = method in METHODS and METHODS[method].is_signed
                reference = occlusion if is_signed else np.abs(occlusion)
                yield _mean_score("tau_occlusion", method, _taus(importance, reference), seed=seed)

    def learning_scores(self, permuted_labels: Run | None) -> Iterator[_Score]:
        """Likeness with the importance of models that have learned nothing."""
        import keras

        from keras_chrome.faithfulness.randomization import cascading_randomization

        config = self.study.run.config
        keras.utils.set_random_seed(self.config.seed + 1)
        untrained = build_model(config.model, **config.arguments)
        alike: dict[str, np.ndarray] = {}
        for layer, weights in cascading_randomization(self.model, untrained):
            alike = self._likeness(self._importances(weights))
            self.cascade += [(m, layer, known_mean(r)) for m, r in alike.items()]
        for method, of_genes in alike.items():
            yield _mean_score("random_weights", method, of_genes, seed=self.config.seed)
        if permuted_labels is not None:
            weights = _network(permuted_labels.load_model()).get_weights()
            for method, of_genes in self._likeness(self._importances(weights)).items():
                yield _mean_score("permuted_labels", method, of_genes, seed=self.config.seed)

    def seed_scores(self, others: Sequence[Run]) -> Iterator[_Score]:
        """Likeness of the importance between trainings that differ in their seed."""
        if not others:
            return
        self.trainings += [
            self._importances(_network(run.load_model()).get_weights()) for run in others
        ]
        for method in self.methods:
            pairs = itertools.combinations([of_run[method] for of_run in self.trainings], 2)
            of_genes = np.mean([_spearman(a, b) for a, b in pairs], axis=0)
            yield _mean_score("seeds", method, of_genes, seed=self.config.seed)

    def planted_scores(self) -> Iterator[_Score]:
        """How well the magnitude tells the bins that a simulation planted from the others."""
        from scipy.ndimage import uniform_filter1d

        dataset = self.study.dataset
        columns = read_columns(dataset, self.config.split)
        if "planted" not in columns:
            print(f"planted bins: {dataset.name} does not know them; demo does", flush=True)
            return
        marks = [dataset.marks.index(mark) for mark in self.study.run.marks]
        row_of_gene = {gene: row for row, gene in enumerate(columns["gene_id"])}
        rows = [row_of_gene[gene] for gene in self.genes.gene_id]
        planted = columns["planted"][rows][:, :, marks]
        distance = self.study.tss_distance_bp[np.newaxis, :, np.newaxis]
        naive = {
            "tss_distance": np.broadcast_to(distance.max() - distance, planted.shape),
            "signal": self.genes.signal,
        }
        width = max(1, round(_SMOOTHING_BP / dataset.bin_bp))
        for method in (*naive, *self.methods):
            magnitudes = [np.abs((naive | of_run)[method]) for of_run in self.trainings]
            smooth = uniform_filter1d(np.mean(magnitudes, axis=0), width, axis=1)
            for measure, magnitude in (("planted", magnitudes[0]), ("planted_smooth", smooth)):
                yield _mean_score(
                    measure, method, _aurocs(planted, magnitude), seed=self.config.seed
                )

    def _likeness(self, others: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Size of Spearman's correlation with the importance in the model, `(genes,)`."""
        return {m: abs(_spearman(self.importance[m], other)) for m, other in others.items()}


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Over all bins of all marks of each gene, `(genes,)`."""
    from keras_chrome.statistics.correlation import bin_correlation

    return bin_correlation(a.reshape(len(a), -1), b.reshape(len(b), -1), statistic="spearman")


def _taus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Kendall's tau over all bins of all marks of each gene, `(genes,)`; NaN for constants."""
    from scipy.stats import kendalltau

    return np.array([kendalltau(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)])


def _aurocs(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The AUROC over all bins of all marks of each gene; NaN where the truth is all one."""
    from scipy.stats import rankdata

    truth = truth.reshape(len(truth), -1).astype(bool)
    rank = rankdata(score.reshape(truth.shape), axis=1)
    num_true, num_false = truth.sum(axis=1), (~truth).sum(axis=1)
    pairs_in_order = (rank * truth).sum(axis=1) - num_true * (num_true + 1) / 2
    pairs = num_true * num_false
    return np.where(pairs, pairs_in_order / np.maximum(pairs, 1), np.nan)


def auroc_loss(
    label: np.ndarray, whole: np.ndarray, altered: Sequence[np.ndarray]
) -> Callable[[np.ndarray], float]:
    """How much lower the AUROC of a sample of the genes is, as a mean over altered models.

    Args:
        label: Integers `(genes,)`, 0 or 1.
        whole: Probability by the model as it was trained, floats `(genes,)`.
        altered: The same by each altered model.

    Returns:
        A function of how often each gene stands in the sample, integers `(genes,)`.
    """
    from keras_chrome.statistics.metrics import weighted_auroc

    of_whole, *of_altered = (weighted_auroc(label, p) for p in (whole, *altered))
    return lambda weight: of_whole(weight) - float(np.mean([auroc(weight) for auroc in of_altered]))
