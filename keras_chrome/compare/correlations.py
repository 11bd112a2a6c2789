"""Hold importance against a mark that was not used in training: the paper's Table 3, and beyond.

As a command: `python -m keras_chrome.compare runs/E116 --validation-mark H3K27ac`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_chrome.command_line import as_spelled, option
from keras_chrome.data.orientation import along_transcription
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS, compute_importance, methods_of, with_respect_to
from keras_chrome.runs import open_study
from keras_chrome.runs.study import OnArguments
from keras_chrome.runs.trainings import NETWORKS, Trainings, group_trainings, networks
from keras_chrome.runs.validation_mark import MARK, ValidationArguments, read_validation_mark
from keras_chrome.statistics.bootstrap import (
    interval95,
    known_mean,
    mean_profiles,
    mean_with_interval_over_trainings,
    over_trainings,
)
from keras_chrome.statistics.correlation import STATISTICS, bin_correlation
from keras_chrome.tables import wrapped
from keras_chrome.vocabulary import LABELS, SPLITS, WRT

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.runs import Study
    from keras_chrome.runs.validation_mark import ValidationMark

NAIVE_METHODS = ("signal", "tss_distance")
"""What an importance must beat: the mark's own signal, and being near the TSS."""

DIRECTIONS = ("transcription", "dataset")
ALL = "all"
"""Stands for all methods that tell bins apart and that a model has."""
# Those of the paper's Table 3, and what takes no longer; the others multiply by the networks.
_USUAL = {n for n, m in METHODS.items() if m.is_cheap and m.resolves_bins} | {"class_optimization"}


@dataclass(frozen=True, kw_only=True)
class CompareConfig(ValidationArguments, OnArguments):
    """Every option of `compare`, with its default.

    Raises:
        InputError: If a value is unknown.
    """

    mark: str = option("mark whose importance is compared with the other", default=MARK)
    methods: tuple[str, ...] | None = option(
        f"importance methods, or {ALL} (default: those of {', '.join(sorted(_USUAL))} that a model "
        "has: the others take minutes to an hour for each network)",
        default=None,
        choices=(*METHODS, ALL),
        metavar="METHOD",
    )
    wrt: tuple[str, ...] = option(
        "what gradients are taken with respect to: the signal as measured, or what the model makes "
        "of it, log(1 + signal)",
        default=WRT,
        choices=WRT,
    )
    num_untrained: int = option(
        "untrained networks, of random weights, to hold the trained ones beside", default=10
    )
    dataset: str | None = option("built dataset; each run's own if left out", default=None)
    data_dir: str | Path | None = option(
        "where datasets were built; as in training if left out", default=None
    )
    labels: str | None = option(
        "label rule; each run's own if left out", default=None, choices=LABELS
    )
    split: str = option("genes", default="test", choices=(*SPLITS, "all"))
    direction: str = option(
        "transcription: bins of minus-strand genes are turned round before profiles are averaged; "
        "dataset: bins as they are, as in the paper",
        default="transcription",
        choices=DIRECTIONS,
    )
    max_genes: int = option("at most so many genes predicted ON, drawn at random", default=1000)
    seed: int = option("seed of the draw, of the bootstrap and of untrained networks", default=0)

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise InputError(
                f"Expected one of {DIRECTIONS}. Received: direction={self.direction!r}"
            )
        if self.methods is not None:
            spelled = tuple(as_spelled(method, (*METHODS, ALL)) for method in self.methods)
            object.__setattr__(self, "methods", spelled)
        if unknown := [m for m in self.methods or () if m not in (*METHODS, ALL)]:
            raise InputError(f"Expected among {sorted(METHODS)}. Received: methods={unknown}")
        if flat := [m for m in self.methods or () if m != ALL and not METHODS[m].resolves_bins]:
            raise InputError(
                f"Expected methods that tell bins apart. Received: methods={', '.join(flat)}"
            )
        with_respect_to((), self.wrt)  # refuses what it does not know
        for name, least in (("max_genes", 1), ("num_untrained", 0)):
            if (value := getattr(self, name)) < least:
                raise InputError(f"Expected at least {least}. Received: {name}={value}")


class Row(NamedTuple):
    """One correlation.

    Attributes:
        run: The run directory; of several trainings the first.
        epigenome: Name of its dataset.
        variant: Its model.
        method: Importance method, or one of `NAIVE_METHODS`.
        network: What computed the importance: `trained` networks, `permuted_labels`, which were
            trained on shuffled labels, or `untrained`; `none` for naive methods.
        level: `profile`: of the means over genes, as in the paper; `gene`: mean over genes of
            each gene's own.
        statistic: `pearson` or `spearman`.
        control: What is held fixed: `none`; `signal` of the mark itself; `distance` to the TSS;
            `both`.
        form: How it is held fixed: `linear`, as it is; `log`, as its logarithm (of the signal
            log(1 + signal)); `linear_log`, both; `rank`, of Spearman's; `none` where nothing is.
        r: The correlation, mean over networks; NaN where the method is a copy of the control, or
            constant.
        low: Of trained networks and naive methods the 2.5 % percentile of it over bootstrap samples
            of the genes and of the trainings; of the others the least of the networks.
        high: The 97.5 % percentile; the greatest.
        num_networks: Networks that it is the mean of; 0 for naive methods.
        num_as_high: Of networks that are not trained, how many have at least the trained ones' `r`;
            0 for the others.
        num_genes: Genes predicted ON that it is of.
        mark: The mark whose importance it is.
        validation_mark: The mark that it is held against.
        validation_dataset: The dataset that holds that one's signal.
        direction: Of the bins: `transcription`, or `dataset` as they are there.
        on_rule: Which genes are predicted ON.
    """

    run: str
    epigenome: str
    variant: str
    method: str
    network: str
    level: str
    statistic: str
    control: str
    form: str
    r: float
    low: float
    high: float
    num_networks: int
    num_as_high: int
    num_genes: int
    mark: str
    validation_mark: str
    validation_dataset: str
    direction: str
    on_rule: str


def compare(run_dirs: Sequence[str | Path], config: CompareConfig | None = None) -> pd.DataFrame:
    """Correlate importance with the signal of a mark that no model has seen.

    Over the genes that a run's model predicts ON, the importance of the bins of one mark
    (H3K4me3, which marks active promoters) is held against the signal of another (H3K27ac, which
    marks active promoters, too). A method that only finds the mark's own signal, or the TSS,
    correlates as well: their own correlations stand beside, and partial correlations say what is
    left when they are held fixed. So does a method whose answer comes of how the network is built:
    the same of untrained networks stands beside, and of those that were trained on shuffled labels.

    Args:
        run_dirs: Runs, such as one an epigenome. Runs that differ in their seed only are trainings
            of one network, and are counted together; those made with `permute_labels` are held
            beside the others. All of them are asked about the genes that the first predicts ON.
        config: The options.

    Returns:
        A `Row` a network, method, level, statistic, control and form of it.

    Raises:
        InputError: If a run was trained on the validation mark, no dataset of its epigenome holds
            it, too few genes are predicted ON, or a model lacks what a method needs.

    Example:
        >>> compare(["runs/E116", "runs/E123"], CompareConfig(methods=("alpha", "saliency")))

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 5, Table 3. Held beside
    untrained networks and shuffled labels as in Adebayo et al., Sanity Checks for Saliency Maps,
    NeurIPS 2018.
    """
    import pandas as pd

    config = config or CompareConfig()
    rows: list[Row] = []
    for trainings in group_trainings(run_dirs):
        rows += _compare_trainings(trainings, config)
    return pd.DataFrame(rows, columns=list(Row._fields))


def _compare_trainings(trainings: Trainings, config: CompareConfig) -> list[Row]:
    study = open_study(
        trainings.first.path,
        split=config.split,
        dataset=config.dataset,
        data_dir=config.data_dir,
        labels=config.labels,
        on_threshold=config.on_threshold,
    )
    column = study.mark(config.mark)
    validation = read_validation_mark(
        study,
        config.validation_mark,
        dataset=config.validation_dataset,
        data_dir=config.data_dir,
        across_epigenomes=config.across_epigenomes,
    )
    about = {
        "run": str(trainings.first.path),
        "epigenome": study.dataset.epigenome,
        "variant": study.run.model_name,
        "mark": study.run.marks[column],
        "validation_mark": validation.mark,
        "validation_dataset": validation.dataset,
        "direction": config.direction,
        "on_rule": study.on_rule,
    }
    study, coverage = _genes_on(study, validation, config)
    genes = study.genes

    def profile(values: np.ndarray) -> np.ndarray:
        return along_transcription(values, genes) if config.direction == "transcription" else values

    signal = profile(genes.signal[:, :, column])
    distance = np.broadcast_to(study.tss_distance_bp, signal.shape)
    found = {("signal", "none"): [signal], ("tss_distance", "none"): [-distance]}
    for kind, of_methods in _importances(study, trainings, config):
        for method, values in of_methods.items():
            found.setdefault((method, kind), []).append(profile(values[:, :, column]))
    correlated = {
        (method, kind): correlations(
            np.stack(of_networks),
            profile(coverage),
            signal=signal,
            distance_bp=distance,
            is_sampled=kind in ("none", "trained"),
            seed=config.seed,
        )
        for (method, kind), of_networks in found.items()
    }
    return list(_rows(correlated, about))


def _rows(
    correlated: Mapping[tuple[str, str], Iterable[Correlation]], about: Mapping[str, str]
) -> Iterator[Row]:
    """The correlations by method and network, a method's networks below each other."""
    methods = list(dict.fromkeys(method for method, _ in correlated))
    trained: dict[tuple[str, ...], float] = {}
    for method, kind in sorted(correlated, key=lambda of: methods.index(of[0])):
        for found in correlated[method, kind]:
            level, statistic, control, form = found.of
            if kind == "trained":
                trained[method, *found.of] = found.r
            is_null = kind not in ("none", "trained")
            yield Row(
                **about,
                method=method,
                network=kind,
                level=level,
                statistic=statistic,
                control=control,
                form=form,
                r=found.r,
                low=found.low,
                high=found.high,
                num_networks=len(found.of_networks) if kind != "none" else 0,
                num_as_high=int((found.of_networks >= trained[method, *found.of]).sum())
                if is_null
                else 0,
                num_genes=found.num_genes,
            )


def _importances(
    study: Study, trainings: Trainings, config: CompareConfig
) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
    """The importance by all methods in each network, with what the network has learned."""
    import keras

    from keras_chrome.importance.duration import estimate

    signal, background = study.genes.signal, study.background()
    model = study.model
    asked = with_respect_to(_methods(study, config), config.wrt)

    def importance() -> dict[str, np.ndarray]:
        return {
            label: compute_importance(method, model, signal, background=background, **options)
            for label, (method, options) in asked.items()
        }

    once = estimate(list(asked), model, signal)
    if not isinstance(model, keras.Model):
        print(once, flush=True)
        yield "trained", importance()
        return
    numbers = [len(trainings.trained), len(trainings.permuted), config.num_untrained]
    counted = ", ".join(f"{n} {kind}" for n, kind in zip(numbers, NETWORKS, strict=True) if n)
    print(wrapped(f"networks: {counted}; for each {once}"), flush=True)
    # One model whose weights are exchanged: what is asked of it is compiled once.
    for kind, weights in networks(trainings, num_untrained=config.num_untrained, seed=config.seed):
        model.set_weights(weights)
        yield kind, importance()


def _methods(study: Study, config: CompareConfig) -> Sequence[str]:
    has = methods_of(study.model, resolves_bins=True)
    if config.methods is None:
        return [name for name in has if name in _USUAL] or has
    return has if ALL in config.methods else list(dict.fromkeys(config.methods))


def _genes_on(
    study: Study, validation: ValidationMark, config: CompareConfig
) -> tuple[Study, np.ndarray]:
    """The genes to compare, and the signal of the validation mark there."""
    is_on = study.is_on
    rows = np.flatnonzero(is_on & validation.has_signal)
    num_on = len(rows)
    kind = f"genes predicted ON that have {validation.mark} in {validation.dataset}"
    study.check_enough_on(num_on, config.min_genes, kind=kind)
    if num_on > config.max_genes:
        rng = np.random.default_rng(config.seed)
        rows = np.sort(rng.permutation(rows)[: config.max_genes])
    counted = (
        f"{study.run.path}: {is_on.sum()} of {len(is_on)} genes predicted ON ({study.on_rule}), "
        f"{num_on} of them with {validation.mark} in {validation.dataset}, {len(rows)} compared"
    )
    print(wrapped(counted), flush=True)
    is_chosen = np.zeros(len(is_on), bool)
    is_chosen[rows] = True
    genes = study.genes.subset(study.genes.split, is_chosen)
    return dataclasses.replace(study, genes=genes), validation.signal[rows]


class Correlation(NamedTuple):
    """How one importance and one coverage are correlated, in one of the ways that `Row` lists.

    Attributes:
        of: `level`, `statistic`, `control` and `form`.
        r: Mean over networks.
        low: As in `Row`.
        high: Likewise.
        of_networks: The correlation of each network, floats `(networks,)`.
        num_genes: Genes that it is of.
    """

    of: tuple[str, str, str, str]
    r: float
    low: float
    high: float
    of_networks: np.ndarray
    num_genes: int


def correlations(
    importance: np.ndarray,
    coverage: np.ndarray,
    *,
    signal: np.ndarray,
    distance_bp: np.ndarray,
    is_sampled: bool = True,
    seed: int = 0,
) -> Iterator[Correlation]:
    """Correlate one importance with one coverage, in every way that `Row` lists.

    Args:
        importance: Of one mark in each network, floats `(networks, genes, bins)`.
        coverage: Signal of the validation mark, floats `(genes, bins)`.
        signal: Signal of the mark itself, likewise.
        distance_bp: Of the bins from the TSS, likewise, above 0.
        is_sampled: Whether `low` and `high` are of a bootstrap over genes and networks; the least
            and the greatest of the networks if not.
        seed: Seeds the bootstrap.
    """
    held_profiles = _held(signal, distance_bp[:1])

    def means(values: np.ndarray) -> np.ndarray:
        """The mean over genes, and over samples of them: of all profiles the same."""
        return mean_profiles(values, seed=seed) if is_sampled else values.mean(0, keepdims=True)

    importance_means = [means(of_network) for of_network in importance]
    coverage_means = means(coverage)
    held_means = _held(means(signal), distance_bp[:1])
    for statistic, (control, form) in _ways():
        held = held_means[control, form]
        of_means = np.stack(
            [
                bin_correlation(x, coverage_means, held, statistic=statistic)
                for x in importance_means
            ],
            axis=1,
        )
        of_networks = of_means[0]
        if is_sampled:
            r, *samples = over_trainings(of_means, seed=seed)
            low, high = interval95(np.array(samples))
        else:
            r, low, high = known_mean(of_networks), *_range(of_networks)
        way = statistic, control, form
        yield Correlation(
            ("profile", *way), float(r), float(low), float(high), of_networks, len(coverage)
        )
        held = held_profiles[control, form]
        of_genes = np.stack(
            [bin_correlation(x, coverage, held, statistic=statistic) for x in importance]
        )
        of_networks = np.array([known_mean(of_network) for of_network in of_genes])
        if is_sampled:
            r, low, high = mean_with_interval_over_trainings(of_genes, seed=seed)
        else:
            r, low, high = known_mean(of_networks), *_range(of_networks)
        num_known = int(np.isfinite(of_genes).any(axis=0).sum())
        yield Correlation(("gene", *way), float(r), float(low), float(high), of_networks, num_known)


def _ways() -> Iterator[tuple[str, tuple[str, str]]]:
    """The statistics, each with what is held fixed, and how."""
    for statistic in STATISTICS:
        for control in ("none", "signal", "distance", "both"):
            forms = ("rank",) if statistic == "spearman" else ("linear", "log", "linear_log")
            for form in ("none",) if control == "none" else forms:
                yield statistic, (control, form)


def _held(signal: np.ndarray, distance_bp: np.ndarray) -> dict[tuple[str, str], list[np.ndarray]]:
    """The profiles to hold fixed, by control and form."""
    held: dict[tuple[str, str], list[np.ndarray]] = {("none", "none"): []}
    for control, (values, logarithm) in {
        "signal": (signal, np.log1p),
        "distance": (distance_bp, np.log),
    }.items():
        log = logarithm(values)
        held[control, "linear"] = held[control, "rank"] = [values]  # A logarithm has its ranks.
        held[control, "log"], held[control, "linear_log"] = [log], [log, values]
    for form in ("linear", "log", "linear_log", "rank"):
        held["both", form] = held["signal", form] + held["distance", form]
    return held


def _range(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (known.min(), known.max()) if len(known) else (np.nan, np.nan)
