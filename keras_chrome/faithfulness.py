"""Which importance method to believe, for which question.

As a command: `python -m keras_chrome.faithfulness RUN`. It trains the run's model with other seeds
and on shuffled labels, once: the same command again finds those runs.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_chrome.command_line import (
    add_options,
    import_tensorflow_quietly,
    option,
    run_command,
)
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS
from keras_chrome.study import ON_PROBABILITY
from keras_chrome.vocabulary import SPLITS

if TYPE_CHECKING:
    import keras
    import numpy as np
    import pandas as pd

    from keras_chrome.run_directory import Run
    from keras_chrome.study import Study

NAIVE_METHODS = ("random", "tss_distance", "signal")
"""Orders of bins that know nothing of the model, which a method must beat."""

_NUM_RESAMPLES = 1000
_NUM_PERMUTATIONS = 5
# Marks cover domains of a kilobase and more, importance jumps from bin to bin.
_SMOOTHING_BP = 1500


class Measure(NamedTuple):
    """One measure of the suite.

    Attributes:
        question: What it helps to answer.
        better: `higher` or `lower`.
        meaning: What its number is.
    """

    question: str
    better: str
    meaning: str


QUESTIONS = {
    "prediction": "Does the prediction rest on the bins that the method points at?",
    "learning": "Does the method show what the model has learned?",
    "stability": "Would another training have said the same?",
    "truth": "Does it find the bins that carry the signal?",
    "attention": "Does the prediction need the attention?",
}
MEASURES = {
    "deletion": Measure(
        "prediction",
        "higher",
        "how much lower the probability lies, over genes predicted ON, while bins are emptied in "
        "the method's order than in a random one",
    ),
    "insertion": Measure(
        "prediction",
        "higher",
        "how much higher it lies while an empty gene is filled in the method's order than in a "
        "random one",
    ),
    "tau_occlusion": Measure(
        "prediction", "higher", "Kendall's tau with occlusion over the bins of a gene"
    ),
    "random_weights": Measure(
        "learning",
        "lower",
        "size of Spearman's correlation, over the bins of a gene, with the importance of the same "
        "model with random weights",
    ),
    "permuted_labels": Measure(
        "learning", "lower", "the same with a model trained on shuffled labels"
    ),
    "seeds": Measure(
        "stability",
        "higher",
        "Spearman's correlation, over the bins of a gene, between trainings that differ in their "
        "seed, all pairs",
    ),
    "planted": Measure(
        "truth", "higher", "AUROC of the importance's magnitude against the planted bins of a gene"
    ),
    "planted_smooth": Measure(
        "truth",
        "higher",
        "the same with the magnitude averaged over the trainings and over neighbouring bins",
    ),
    "change": Measure("attention", "higher", "mean absolute change of the probability"),
    "flips": Measure("attention", "higher", "share of genes that change sides"),
    "auroc_loss": Measure("attention", "higher", "how much lower the AUROC is"),
}


@dataclass(frozen=True)
class FaithfulnessConfig:
    """Every option of `faithfulness`, with its default.

    Raises:
        InputError: If a value is out of range or unknown.
    """

    methods: tuple[str, ...] | None = option(
        "importance methods; all that the model has if left out", default=None, choices=METHODS
    )
    split: str = option("genes", default="test", choices=SPLITS)
    max_genes: int = option("at most so many genes, drawn at random", default=100)
    num_seeds: int = option("trainings to compare, the run itself among them", default=5)
    permuted_labels: bool = option("train on shuffled labels, too", default=True)
    seed: int = option("seed of all that is drawn", default=0)

    def __post_init__(self) -> None:
        if unknown := [m for m in self.methods or () if m not in METHODS]:
            raise InputError(f"Expected among {sorted(METHODS)}. Received: methods={unknown}")
        for name in ("max_genes", "num_seeds"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")


class Faithfulness(NamedTuple):
    """What the suite found.

    Attributes:
        scores: A row a measure and method (for the question `attention`, an attention and what was
            done to it): `question`, `measure`, `method`, `value`, its 95 % bootstrap interval over
            genes `low` and `high`, `num_genes`, `better`.
        curves: `kind` (deletion, insertion), `method`, `fraction` of the bins, `probability`, the
            mean over genes predicted ON.
        cascade: `method`, `layer`, `spearman`: the mean over genes of the size of the correlation
            with the trained model's importance when this layer and those after it have random
            weights.
    """

    scores: "pd.DataFrame"
    curves: "pd.DataFrame"
    cascade: "pd.DataFrame"


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
    import numpy as np
    import pandas as pd

    from keras_chrome.study import open_study

    config = config or FaithfulnessConfig()
    study = open_study(run_dir, split=config.split)
    _network(study.model)
    directory = Path(directory) if directory else study.run.path / "faithfulness"
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


def _network(model: Any) -> "keras.Model":
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


def _score(measure: str, method: str, of_genes: "np.ndarray", *, seed: int) -> _Score:
    """The mean over genes of what was measured of each, with its interval."""
    import numpy as np

    from keras_chrome.bin_correlation import known_mean, mean_interval95

    mean, num_known = known_mean(of_genes), int(np.isfinite(of_genes).sum())
    low, high = mean_interval95(of_genes, num_resamples=_NUM_RESAMPLES, seed=seed)
    about = MEASURES[measure]
    return _Score(about.question, measure, method, mean, low, high, num_known, about.better)


class _Suite:
    """The measures, on a run's genes; importance is computed once."""

    def __init__(self, study: "Study", is_chosen: "np.ndarray", config: FaithfulnessConfig) -> None:
        from keras_chrome.importance import methods_of

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

    def _importances(self, weights: "Sequence[np.ndarray]") -> "dict[str, np.ndarray]":
        """The importance by each method in a model of these weights."""
        from keras_chrome.importance import compute_importance

        self.scratch.set_weights(weights)
        return {
            method: compute_importance(
                method, self.scratch, self.genes.signal, background=self.background
            )
            for method in self.methods
        }

    def attention_scores(self) -> Iterator[_Score]:
        """The prediction with the attention made uniform, or its weights in other places."""
        import numpy as np
        from sklearn.metrics import roc_auc_score

        from keras_chrome.altered_attention import (
            LAYERS,
            permute,
            permuted_attention,
            uniform_attention,
        )
        from keras_chrome.prediction import predict

        model, genes, seed = self.model, self.study.genes, self.config.seed
        names = [name for name in LAYERS if name in model.output]
        whole = predict(model, genes.signal).probability
        auroc = roc_auc_score(genes.label, whole)
        for altered in dict.fromkeys([*((name,) for name in names), tuple(names)]):
            if not altered:
                continue
            uniform = [predict(uniform_attention(model, altered), genes.signal).probability]
            permuted_model = permuted_attention(model, altered)
            permuted = []
            for permutation in range(_NUM_PERMUTATIONS):
                permute(permuted_model, altered, seed=seed + permutation)
                permuted.append(predict(permuted_model, genes.signal).probability)
            for how, probabilities in (("uniform", uniform), ("permuted", permuted)):
                method = f"{' and '.join(altered)} {how}"
                change = np.abs(np.stack(probabilities) - whole).mean(axis=0)
                flips = (
                    (np.stack(probabilities) >= ON_PROBABILITY) != (whole >= ON_PROBABILITY)
                ).mean(axis=0)
                yield _score("change", method, change, seed=seed)
                yield _score("flips", method, flips, seed=seed)
                losses = [auroc - roc_auc_score(genes.label, p) for p in probabilities]
                about = MEASURES["auroc_loss"]
                yield _Score(
                    about.question,
                    "auroc_loss",
                    method,
                    float(np.mean(losses)),
                    *_auroc_loss_interval(genes.label, whole, probabilities[0], seed),
                    len(genes),
                    about.better,
                )

    def order_scores(self) -> Iterator[_Score]:
        """Deletion and insertion in the methods' orders, and agreement with occlusion."""
        import numpy as np
        import pandas as pd

        from keras_chrome.deletion_curves import FRACTIONS, deletion_curves
        from keras_chrome.prediction import predict

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
                yield _score("deletion", method, areas["random"][0] - deletion, seed=seed)
                yield _score("insertion", method, insertion - areas["random"][1], seed=seed)
        occlusion = self.importance.get("occlusion")
        if occlusion is None:
            return
        for method, importance in orders.items():
            if method != "occlusion":
                is_signed = method in METHODS and METHODS[method].is_signed
                reference = occlusion if is_signed else np.abs(occlusion)
                yield _score("tau_occlusion", method, _taus(importance, reference), seed=seed)

    def learning_scores(self, permuted_labels: "Run | None") -> Iterator[_Score]:
        """Likeness with the importance of models that have learned nothing."""
        import keras

        from keras_chrome.bin_correlation import known_mean
        from keras_chrome.models import build_model
        from keras_chrome.parameter_randomization import cascading_randomization

        arguments = dict(self.study.run.config["model"])
        keras.utils.set_random_seed(self.config.seed + 1)
        untrained = build_model(arguments.pop("variant"), **arguments)
        alike: dict[str, np.ndarray] = {}
        for layer, weights in cascading_randomization(self.model, untrained):
            alike = self._likeness(self._importances(weights))
            self.cascade += [(m, layer, known_mean(r)) for m, r in alike.items()]
        for method, of_genes in alike.items():
            yield _score("random_weights", method, of_genes, seed=self.config.seed)
        if permuted_labels is not None:
            weights = _network(permuted_labels.load_model()).get_weights()
            for method, of_genes in self._likeness(self._importances(weights)).items():
                yield _score("permuted_labels", method, of_genes, seed=self.config.seed)

    def seed_scores(self, others: "Sequence[Run]") -> Iterator[_Score]:
        """Likeness of the importance between trainings that differ in their seed."""
        import itertools

        import numpy as np

        if not others:
            return
        self.trainings += [
            self._importances(_network(run.load_model()).get_weights()) for run in others
        ]
        for method in self.methods:
            pairs = itertools.combinations([of_run[method] for of_run in self.trainings], 2)
            of_genes = np.mean([_spearman(a, b) for a, b in pairs], axis=0)
            yield _score("seeds", method, of_genes, seed=self.config.seed)

    def planted_scores(self) -> Iterator[_Score]:
        """How well the magnitude tells the bins that a simulation planted from the others."""
        import numpy as np
        from scipy.ndimage import uniform_filter1d

        from keras_chrome.data import read_columns

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
                yield _score(measure, method, _aurocs(planted, magnitude), seed=self.config.seed)

    def _likeness(self, others: "Mapping[str, np.ndarray]") -> "dict[str, np.ndarray]":
        """Size of Spearman's correlation with the importance in the model, `(genes,)`."""
        return {m: abs(_spearman(self.importance[m], other)) for m, other in others.items()}


def _spearman(a: "np.ndarray", b: "np.ndarray") -> "np.ndarray":
    """Over all bins of all marks of each gene, `(genes,)`."""
    from keras_chrome.bin_correlation import bin_correlation

    return bin_correlation(a.reshape(len(a), -1), b.reshape(len(b), -1), statistic="spearman")


def _taus(a: "np.ndarray", b: "np.ndarray") -> "np.ndarray":
    """Kendall's tau over all bins of all marks of each gene, `(genes,)`; NaN for constants."""
    import numpy as np
    from scipy.stats import kendalltau

    return np.array([kendalltau(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)])


def _aurocs(truth: "np.ndarray", score: "np.ndarray") -> "np.ndarray":
    """The AUROC over all bins of all marks of each gene; NaN where the truth is all one."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    return np.array(
        [
            roc_auc_score(t.ravel(), s.ravel()) if 0 < t.mean() < 1 else np.nan
            for t, s in zip(truth.astype(bool), score, strict=True)
        ]
    )


def _auroc_loss_interval(
    label: "np.ndarray", whole: "np.ndarray", altered: "np.ndarray", seed: int
) -> tuple[float, float]:
    """The 95 % bootstrap interval of the difference of two AUROCs on the same genes."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from keras_chrome.bin_correlation import interval95

    rng = np.random.default_rng(seed)
    losses = []
    for _ in range(_NUM_RESAMPLES // 5):
        rows = rng.integers(len(label), size=len(label))
        if 0 < label[rows].mean() < 1:
            losses.append(
                roc_auc_score(label[rows], whole[rows]) - roc_auc_score(label[rows], altered[rows])
            )
    return interval95(np.array(losses))


def other_trainings(run: "Run", config: FaithfulnessConfig, directory: Path) -> "dict[str, Run]":
    """Train as a run was, with other seeds and on shuffled labels, unless it was done before.

    Args:
        run: The run.
        config: How many seeds, and whether there are shuffled labels.
        directory: Where the runs are or will be, in `runs`.

    Returns:
        The runs by name, `seed-N` and `permuted-labels`; none for a run that `fit` did not write.

    Raises:
        InputError: If earlier ones are of other contents of the dataset.
    """
    from keras_chrome.fit import FitConfig, fit
    from keras_chrome.run_directory import open_run

    options = run.config["options"]
    fields = {field.name for field in dataclasses.fields(FitConfig)}
    changes: dict[str, dict[str, Any]] = {
        f"seed-{seed}": {"seed": seed}
        for seed in range(config.num_seeds)
        if seed != options.get("seed")
    }
    changes = dict(list(changes.items())[: config.num_seeds - 1])
    if config.permuted_labels:
        changes["permuted-labels"] = {"permute_labels": True}
    if changes and not {"dataset", "epochs"} <= options.keys():
        print(f"seeds, permuted_labels: not measured, {run.path} was not trained here", flush=True)
        return {}
    runs = {}
    for name, change in changes.items():
        path = directory / "runs" / name
        if not (path / "metrics.json").is_file():
            print(f"\ntraining {path}", flush=True)
            known = {k: v for k, v in options.items() if k in fields}
            given = {**known, **change, "run_dir": str(path), "resume": True, "overwrite": False}
            fit(FitConfig(**given))
        runs[name] = open_run(path)
        if runs[name].config["dataset"]["fingerprint"] != run.config["dataset"]["fingerprint"]:
            raise InputError(
                f"Expected runs on the dataset of {run.path}. Received: {path}, of other contents; "
                f"remove {directory / 'runs'}"
            )
    return runs


def write_faithfulness(result: Faithfulness, directory: str | Path) -> None:
    """Write `faithfulness.csv`, `.md`, `.png` and `.svg`, `curves.csv`, `cascade.csv`."""
    from keras_chrome.faithfulness_figure import draw_faithfulness
    from keras_chrome.faithfulness_text import faithfulness_markdown
    from keras_chrome.run_directory import atomic_path, write_csv, write_figure

    directory = Path(directory)
    figure = draw_faithfulness(result)
    write_csv(directory / "faithfulness.csv", result.scores)
    write_csv(directory / "curves.csv", result.curves)
    write_csv(directory / "cascade.csv", result.cascade)
    with atomic_path(directory / "faithfulness.md") as temporary:
        temporary.write_text(faithfulness_markdown(result))
    write_figure(directory / "faithfulness", figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.faithfulness",
        description="Try all importance methods of a run side by side, and say which to believe "
        "for which question. Trains the run's model with other seeds and on shuffled labels.",
    )
    parser.add_argument("run", help="run directory of a network")
    add_options(parser, FaithfulnessConfig)
    parser.add_argument("--out", help="directory to write (default: RUN/faithfulness)")
    given = vars(parser.parse_args(argv))
    run = given.pop("run")
    directory = Path(given.pop("out") or Path(run) / "faithfulness")
    config = FaithfulnessConfig(**given)
    import_tensorflow_quietly()
    from keras_chrome.faithfulness_text import faithfulness_text

    result = faithfulness(run, config, directory=directory)
    write_faithfulness(result, directory)
    print(f"\n{faithfulness_text(result)}\n\nfaithfulness: {directory}")


if __name__ == "__main__":
    run_command(main)
