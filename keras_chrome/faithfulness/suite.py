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
from keras_chrome.faithfulness.measures import MEASURES, NAIVE_METHODS, Faithfulness
from keras_chrome.faithfulness.trainings import with_further_trainings
from keras_chrome.importance import (
    compute_importance,
    method_of_label,
    methods_of,
    with_respect_to,
)
from keras_chrome.runs import open_study
from keras_chrome.runs.trainings import (
    NETWORKS,
    Network,
    Trainings,
    counted_networks,
    group_trainings,
    networks,
    untrained_model,
)
from keras_chrome.statistics.bootstrap import (
    known_mean,
    mean_with_interval_over_trainings,
    with_interval_over_trainings,
)

if TYPE_CHECKING:
    import keras

    from keras_chrome.runs import Study

_NUM_PERMUTATIONS = 5
# Marks cover domains of a kilobase and more, importance jumps from bin to bin.
_SMOOTHING_BP = 1500
_Importance = dict[str, np.ndarray]


def faithfulness(
    run_dirs: str | Path | Sequence[str | Path],
    config: FaithfulnessConfig | None = None,
    *,
    directory: str | Path | None = None,
) -> Faithfulness:
    """Try all importance methods of a model side by side.

    Args:
        run_dirs: A run directory of a network; or several that differ in their seed only, and in
            `permute_labels`, to measure them together. Further seeds and shuffled labels need runs
            that `fit` wrote.
        config: The options.
        directory: Where the further runs are trained; RUN/faithfulness of the first run if None.

    Returns:
        The tables. What could not be measured has no row, and a line is printed that says why.

    Raises:
        InputError: If a run is missing or a baseline, they are no trainings of one network, a model
            lacks what a method needs, or too few genes are predicted ON.

    Example:
        >>> faithfulness("runs/demo", FaithfulnessConfig(num_seeds=1)).scores
    """
    import pandas as pd

    config = config or FaithfulnessConfig()
    named = [run_dirs] if isinstance(run_dirs, str | Path) else run_dirs
    trainings, *others = group_trainings(named)
    if others:
        raise InputError(
            "Expected runs that differ in their seed, or in permute_labels. Received: "
            f"{trainings.first.path} and {others[0].first.path}, which differ in more"
        )
    path = trainings.first.path
    study = open_study(
        path,
        split=config.split,
        dataset=config.dataset,
        data_dir=config.data_dir,
        on_threshold=config.on_threshold,
    )
    _network(study.model)
    directory = Path(directory or path / "faithfulness").expanduser()
    trainings = with_further_trainings(trainings, config, directory)
    rng = np.random.default_rng(config.seed)
    is_chosen = np.zeros(len(study.genes), bool)
    is_chosen[rng.permutation(len(study.genes))[: config.max_genes]] = True
    suite = _Suite(study, is_chosen, trainings, config)
    scores = [
        *suite.attention_scores(),
        *suite.order_scores(),
        *suite.learning_scores(),
        *suite.seed_scores(),
        *suite.planted_scores(),
    ]
    curves = pd.concat(suite.curves)
    return Faithfulness(
        suite.title,
        pd.DataFrame(scores, columns=list(_Score._fields)),
        curves.groupby(["kind", "method", "fraction"], sort=False, as_index=False).mean(),
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
    num_networks: int
    better: str


def _score(
    measure: str, method: str, estimate: Iterable[float], num_genes: int, num_networks: int
) -> _Score:
    """A value with its interval."""
    value, low, high = map(float, estimate)
    about = MEASURES[measure]
    of_value = value, low, high, num_genes, num_networks
    return _Score(about.question, measure, method, *of_value, about.better)


def _mean_score(measure: str, method: str, values: np.ndarray, *, seed: int) -> _Score:
    """The mean of what was measured of each network and gene, `(networks, genes)`."""
    estimate = mean_with_interval_over_trainings(values, seed=seed)
    num_genes = int(np.isfinite(values).any(axis=0).sum())
    return _score(measure, method, estimate, num_genes, len(values))


class _Suite:
    """The measures, on a run's genes; importance is computed once in each network."""

    def __init__(
        self, study: Study, is_chosen: np.ndarray, trainings: Trainings, config: FaithfulnessConfig
    ) -> None:
        self.study = study
        self.config = config
        self.is_chosen = is_chosen
        self.genes = study.genes.subset(study.genes.split, is_chosen)
        self.background = study.background()
        self.is_on = study.is_on[is_chosen]
        study.check_enough_on(
            int(self.is_on.sum()),
            config.min_genes,
            kind=f"genes predicted ON among the {len(self.genes)} drawn (--max-genes)",
        )
        # One model whose weights are exchanged: what is asked of it is compiled once.
        self.model = _network(study.model)
        methods = config.methods or methods_of(self.model, resolves_bins=True)
        self.methods = with_respect_to(methods, config.wrt)
        self.networks: dict[str, list[Network]] = {kind: [] for kind in NETWORKS}
        self.importance: dict[str, list[_Importance]] = {kind: [] for kind in NETWORKS}
        for network in networks(trainings, num_untrained=config.num_untrained, seed=config.seed):
            self.networks[network.kind].append(network)
            self.importance[network.kind].append(self._importance(network.weights))
        self.curves: list[Any] = []
        self.cascade: list[tuple[str, str, float]] = []

    @property
    def title(self) -> str:
        """Which networks and genes are measured."""
        numbers = {kind: len(of_kind) for kind, of_kind in self.networks.items()}
        counted = ", ".join(counted_networks(numbers))
        return (
            f"{self.study.run.model_name} on {self.study.dataset.name}: {counted}; "
            f"{len(self.genes):,} of {len(self.study.genes):,} genes of split "
            f"{self.study.genes.split!r}, {self.is_on.sum():,} of them predicted ON "
            f"({self.study.on_rule})"
        )

    def _importance(self, weights: Sequence[np.ndarray]) -> _Importance:
        """The importance by each method in a network of these weights."""
        self.model.set_weights(weights)
        return {
            label: compute_importance(
                method, self.model, self.genes.signal, background=self.background, **options
            )
            for label, (method, options) in self.methods.items()
        }

    def _importance_once(self, weights: Sequence[np.ndarray]) -> _Importance:
        """The same, of an untrained network as it was computed before."""
        for network, known in zip(
            self.networks["untrained"], self.importance["untrained"], strict=True
        ):
            if all(map(np.array_equal, network.weights, weights)):
                return known
        return self._importance(weights)

    def attention_scores(self) -> Iterator[_Score]:
        """The attention, and the prediction with it made uniform, or with its places exchanged."""
        from keras_chrome.faithfulness.altered_attention import (
            LAYERS,
            alter,
            alterable_copy,
            take_weights,
        )
        from keras_chrome.models.prediction import predict

        model, genes, seed = self.model, self.study.genes, self.config.seed
        names = [name for name in LAYERS if name in model.output]
        if not names:
            return
        copy = alterable_copy(model)
        altered_names = list(dict.fromkeys([*((name,) for name in names), tuple(names)]))
        whole: list[np.ndarray] = []
        altered: dict[str, list[list[np.ndarray]]] = {}
        entropy: dict[str, list[np.ndarray]] = {}
        for network in self.networks["trained"]:
            model.set_weights(network.weights)
            take_weights(copy, model)
            prediction = predict(model, genes.signal)
            whole.append(prediction.probability)
            for name, of_genes in self._entropies(prediction._asdict(), names).items():
                entropy.setdefault(name, []).append(of_genes)
            for of_copy in altered_names:
                alter(copy, of_copy)
                uniform = [predict(copy, genes.signal).probability]
                permuted = []
                for permutation in range(_NUM_PERMUTATIONS):
                    alter(copy, of_copy, seed=seed + permutation)
                    permuted.append(predict(copy, genes.signal).probability)
                for how, of_how in (("uniform", uniform), ("permuted", permuted)):
                    altered.setdefault(f"{' and '.join(of_copy)} {how}", []).append(of_how)
        for name, shares in entropy.items():
            yield _mean_score("entropy", name, np.stack(shares), seed=seed)
        for method, of_networks in altered.items():
            # (networks, alterations, genes), beside (networks, 1, genes).
            answers, before = np.stack(of_networks), np.stack(whole)[:, np.newaxis]
            change = abs(answers - before).mean(axis=1)
            flips = (self.study.says_on(answers) != self.study.says_on(before)).mean(axis=1)
            yield _mean_score("change", method, change, seed=seed)
            yield _mean_score("flips", method, flips, seed=seed)
            losses = [
                auroc_loss(genes.label, of_whole, of_network)
                for of_whole, of_network in zip(whole, of_networks, strict=True)
            ]
            estimate = with_interval_over_trainings(losses, len(genes), seed=seed)
            yield _score("auroc_loss", method, estimate, len(genes), len(losses))

    def _entropies(
        self, attention: Mapping[str, Any], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """The entropy of alpha of each mark, and of beta, as a share of the greatest."""
        from scipy.stats import entropy

        entropies = {}
        for name in names:
            shares = entropy(attention[name], axis=-1) / np.log(attention[name].shape[-1])
            if name == "beta":
                entropies[name] = shares
            else:
                of_marks = zip(self.study.run.marks, shares.T, strict=True)
                entropies |= {f"{name} {mark}": of_genes for mark, of_genes in of_marks}
        return entropies

    def order_scores(self) -> Iterator[_Score]:
        """Deletion and insertion in the methods' orders, and agreement with occlusion."""
        signal, seed = self.genes.signal, self.config.seed
        distance = self.study.tss_distance_bp[np.newaxis, :, np.newaxis]
        naive = {
            "random": np.random.default_rng(seed).random(signal.shape),
            "tss_distance": np.broadcast_to(-distance, signal.shape),
            "signal": signal,
        }
        of_networks = [
            self._areas(network, naive | of_network, keeps_curves=True)
            for network, of_network in zip(
                self.networks["trained"], self.importance["trained"], strict=True
            )
        ]
        areas = {name: np.stack([a[name] for a in of_networks]) for name in of_networks[0]}
        for name in areas:
            if name != "random":
                yield from self._gains("", name, areas[name], areas["random"])
        for kind, suffix in (("untrained", "_untrained"), ("permuted_labels", "_permuted")):
            if not self.importance[kind]:
                continue
            first = self.networks["trained"][0]
            of_nothing = [self._areas(first, of_network) for of_network in self.importance[kind]]
            for name in self.methods:
                of_name = np.stack([a[name] for a in of_nothing])
                yield from self._gains(suffix, name, of_name, areas["random"][:1])
        if "occlusion" not in self.methods:
            return
        for name in (*naive, *self.methods):
            if name != "occlusion":
                taus = [
                    _taus(self._magnitude(naive | of_network, name), abs(of_network["occlusion"]))
                    for of_network in self.importance["trained"]
                ]
                yield _mean_score("tau_occlusion", name, np.stack(taus), seed=seed)

    def _areas(
        self, network: Network, orders: _Importance, *, keeps_curves: bool = False
    ) -> dict[str, np.ndarray]:
        """The areas under the curves of deletion and insertion, `(2, genes predicted ON)`."""
        import pandas as pd

        from keras_chrome.faithfulness.deletion_curves import FRACTIONS, deletion_curves

        self.model.set_weights(network.weights)
        areas = {}
        for name, order in orders.items():
            curves = deletion_curves(
                self.model,
                self.genes.signal[self.is_on],
                order[self.is_on],
                seed=self.config.seed,
            )
            areas[name] = np.stack(curves.areas())
            for kind, curve in curves._asdict().items() if keeps_curves else ():
                columns = {"kind": kind, "method": name, "fraction": FRACTIONS}
                self.curves.append(pd.DataFrame({**columns, "probability": curve.mean(axis=1)}))
        return areas

    def _gains(
        self, suffix: str, name: str, areas: np.ndarray, random: np.ndarray
    ) -> Iterator[_Score]:
        """Deletion and insertion of an order, beyond a random one: `(networks, 2, genes)`."""
        deletion, insertion = (areas - random).swapaxes(0, 1)
        yield _mean_score(f"deletion{suffix}", name, -deletion, seed=self.config.seed)
        yield _mean_score(f"insertion{suffix}", name, insertion, seed=self.config.seed)

    @staticmethod
    def _magnitude(importance: _Importance, name: str) -> np.ndarray:
        """How much each bin matters, whichever way; a naive order as it is."""
        values = importance[name]
        is_signed = name not in ("random", *NAIVE_METHODS) and method_of_label(name).is_signed
        return np.abs(values) if is_signed else values

    def learning_scores(self) -> Iterator[_Score]:
        """Likeness with the importance in networks that have learned nothing."""
        from keras_chrome.faithfulness.randomization import cascading_randomization

        trained = self.importance["trained"][0]
        self.model.set_weights(self.networks["trained"][0].weights)
        untrained = untrained_model(self.study.run, seed=self.config.seed)
        for layer, weights in cascading_randomization(self.model, untrained):
            alike = _likeness(trained, self._importance_once(weights))
            self.cascade += [(name, layer, known_mean(r)) for name, r in alike.items()]
        for kind, measure in (("untrained", "random_weights"), ("permuted_labels",) * 2):
            alike_by_network = [_likeness(trained, other) for other in self.importance[kind]]
            for name in self.methods if alike_by_network else ():
                values = np.stack([alike[name] for alike in alike_by_network])
                yield _mean_score(measure, name, values, seed=self.config.seed)

    def seed_scores(self) -> Iterator[_Score]:
        """Likeness of the importance between trainings that differ in their seed."""
        trained = self.importance["trained"]
        if len(trained) < 2:
            return
        for name in self.methods:
            pairs = itertools.combinations([of_network[name] for of_network in trained], 2)
            of_genes = np.mean([_spearman(a, b) for a, b in pairs], axis=0)
            # Pairs share their networks: the interval counts the genes alone.
            score = _mean_score("seeds", name, of_genes[np.newaxis], seed=self.config.seed)
            yield score._replace(num_networks=len(trained))

    def planted_scores(self) -> Iterator[_Score]:
        """How well the magnitude tells the bins that a simulation planted from the others."""
        from scipy.ndimage import uniform_filter1d

        dataset, seed = self.study.dataset, self.config.seed
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
        for name in (*naive, *self.methods):
            magnitudes = [abs((naive | i)[name]) for i in self.importance["trained"]]
            found = np.stack([_aurocs(planted, magnitude) for magnitude in magnitudes])
            yield _mean_score("planted", name, found, seed=seed)
            smooth = uniform_filter1d(np.mean(magnitudes, axis=0), width, axis=1)
            found = _aurocs(planted, smooth)[np.newaxis]
            score = _mean_score("planted_smooth", name, found, seed=seed)
            yield score._replace(num_networks=len(magnitudes))
        for name in self.methods:
            found = np.stack([_aurocs(planted, abs(i[name])) for i in self.importance["untrained"]])
            yield _mean_score("planted_untrained", name, found, seed=seed)


def _likeness(importance: _Importance, other: _Importance) -> dict[str, np.ndarray]:
    """Size of Spearman's correlation of two networks' importance, `(genes,)` by method."""
    return {name: abs(_spearman(importance[name], other[name])) for name in importance}


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
