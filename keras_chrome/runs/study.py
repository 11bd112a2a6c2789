"""A run's model and the genes that it is asked about: where every explanation starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from keras_chrome.command_line import as_spelled, option
from keras_chrome.data import label_rule, load_genes
from keras_chrome.data.gene_lookup import GeneNames, read_gene_names
from keras_chrome.errors import InputError
from keras_chrome.runs.run import Model, Run, open_run
from keras_chrome.vocabulary import LABELS, ON_RULES, SPLITS

if TYPE_CHECKING:
    import xarray as xr

    from keras_chrome.data import Dataset, Genes
    from keras_chrome.models.prediction import Prediction

ON_PROBABILITY = 0.5
"""From this probability of high expression on a gene counts as predicted ON where the validation
genes tell no other."""
_ON_WORDS = {
    "balanced": "best balanced accuracy over {:,} validation genes",
    "rate": "positive rate of {:,} validation genes",
}
GENE_HELP = (
    "Ensembl id (with or without version) or symbol; of genes that share it, NAME@NAME, as "
    "the error lists them"
)
"""What an option that takes a gene says of it."""


class DataOptions(TypedDict, total=False):
    """Which data a run is asked about; what is None is as in training.

    Attributes:
        dataset: A built dataset; the run's own if None. It must have the run's bins.
        data_dir: Where datasets were built; where the run found its own if None.
        labels: Label rule; the run's own if None. Genes without such a label are left out.
    """

    dataset: str | None
    data_dir: str | Path | None
    labels: str | None


class GeneOptions(DataOptions, total=False):
    """Which genes a run is asked about: the keyword arguments of all functions that ask.

    Attributes:
        split: `train`, `valid`, `test` or `all`; `test` if None, and with a gene any.
        gene: This one only: Ensembl id or symbol, or what tells it from others that share these;
            see `GeneNames`.
    """

    split: str | None
    gene: str | None


@dataclass(frozen=True, kw_only=True)
class DataArguments:
    """`DataOptions` as options of a command, whose own class inherits them."""

    dataset: str | None = option(
        "built dataset (default: the run's own)", default=None, group="genes"
    )
    data_dir: Path | None = option(
        "where datasets were built (default: as in training)", default=None, group="genes"
    )
    labels: str | None = option(
        "label rule (default: the run's own)", default=None, group="genes", choices=LABELS
    )

    def data_options(self) -> DataOptions:
        """What was given, as arguments of the functions that ask."""
        return {"dataset": self.dataset, "data_dir": self.data_dir, "labels": self.labels}


@dataclass(frozen=True, kw_only=True)
class GeneArguments(DataArguments):
    """`GeneOptions` as options of a command, but for a gene, which not every command takes."""

    split: str | None = option(
        "genes (default: test)", default=None, group="genes", choices=(*SPLITS, "all")
    )

    def gene_options(self, gene: str | None = None) -> GeneOptions:
        """What was given, and a gene, as arguments of the functions that ask."""
        return {**self.data_options(), "split": self.split, "gene": gene}


@dataclass(frozen=True, kw_only=True)
class ThresholdArguments:
    """What counts as predicted ON: an option of a command, whose own class inherits it.

    Attributes:
        on_threshold: The probability of high expression from which on a gene does; or how it is
            told from the model's answers of its validation genes, of the dataset and the label
            rule asked about: `balanced`, of best balanced accuracy; `rate`, from which on as large
            a share of them lies as is labelled high.
    """

    on_threshold: str = option(
        "probability from which on a gene counts as predicted ON, or how to tell it from the "
        "validation genes: `balanced`, best balanced accuracy; `rate`, as many ON as are high",
        default="balanced",
        group="predicted ON",
    )


@dataclass(frozen=True, kw_only=True)
class OnArguments(ThresholdArguments):
    """Likewise where genes predicted ON are averaged over.

    Attributes:
        min_genes: Fewer of them are refused.
    """

    min_genes: int = option(
        "refuse to average over fewer genes predicted ON", default=50, group="predicted ON"
    )


@dataclass(frozen=True)
class Study:
    """A run's model and genes.

    Attributes:
        run: The run.
        dataset: The dataset of the genes.
        labels: Label rule of the genes.
        genes: The genes.
        model: The run's model.
        gene_name: Of one gene asked for, what `gene_names` says of it.
        on_choice: How the threshold of predicted ON is told: `balanced`, `rate`, or the
            probability itself, as `ThresholdArguments` says.
    """

    run: Run
    dataset: Dataset
    labels: str
    genes: Genes
    model: Model
    gene_name: str | None = None
    on_choice: str | float = "balanced"

    @cached_property
    def gene_names(self) -> np.ndarray:
        """A name of each gene that no other of the dataset has, text `(genes,)`; see `GeneNames`.

        It is the symbol where no other gene has that.
        """
        if self.gene_name is not None:
            return np.array([self.gene_name])
        return read_gene_names(self.dataset, self.labels).of(self.genes)

    def mark(self, name: str) -> int:
        """The position of a mark on the last axis of the signal, by a name of `Run.find_mark`."""
        return self.run.marks.index(self.run.find_mark(name))

    @cached_property
    def prediction(self) -> Prediction:
        """What the model says of the genes; it is asked once."""
        from keras_chrome.models.prediction import predict

        return predict(self.model, self.genes.signal)

    def attention(self, name: Literal["alpha", "beta"]) -> np.ndarray:
        """The attention of the genes, as `Prediction` has it.

        Raises:
            InputError: If the variant has none.
        """
        values: np.ndarray | None = getattr(self.prediction, name)
        if values is None:
            raise InputError(
                "Expected a variant with attention over "
                f"{'bins' if name == 'alpha' else 'marks'}. Received: {self.run.path}, "
                f"model={self.run.model_name!r}"
            )
        return values

    @property
    def on_threshold(self) -> float:
        """The probability of high expression from which on a gene counts as predicted ON."""
        return self._on[0]

    @property
    def on_rule(self) -> str:
        """The threshold in words, and where it comes from, as in `P >= 0.31, as given`."""
        return self._on[1]

    @property
    def on_columns(self) -> dict[str, float | str]:
        """The threshold and its words as columns of a table that is written."""
        return {"on_threshold": self.on_threshold, "on_rule": self.on_rule}

    @cached_property
    def _on(self) -> tuple[float, str]:
        if isinstance(self.on_choice, float):
            return self.on_choice, f"P >= {self.on_choice}, as given"
        from keras_chrome.models.prediction import predict
        from keras_chrome.statistics.threshold import on_threshold

        genes = self.run.load_genes("valid", dataset=self.dataset, labels=self.labels)
        found = None
        if len(np.unique(genes.label)) == 2:
            answers = predict(self.model, genes.signal).probability
            found = on_threshold(genes.label, answers, self.on_choice)
        if found is None:
            words = "as the validation genes tell no other"
            return ON_PROBABILITY, f"P >= {ON_PROBABILITY}, {words}"
        # A sure model's threshold may lie so near 1 that three digits are not enough.
        written = (f"{found:.{digits}g}" for digits in range(3, 18))
        shown = next(text for text in written if float(text) < 1)
        return found, f"P >= {shown}, {_ON_WORDS[self.on_choice].format(len(genes))}"

    def says_on(self, probability: np.ndarray) -> np.ndarray:
        """Whether these answers of the model are ON, bool `(genes,)`: of changed signal, say."""
        # In single precision the threshold may be one of the two numbers that it parts.
        is_on: np.ndarray = probability.astype(np.float64) >= self.on_threshold
        return is_on

    @property
    def is_on(self) -> np.ndarray:
        """Whether each gene is predicted ON, bool `(genes,)`."""
        return self.says_on(self.prediction.probability)

    def check_enough_on(
        self, num_genes: int, min_genes: int, *, kind: str = "genes predicted ON"
    ) -> None:
        """See that there are genes predicted ON to average over.

        Args:
            num_genes: How many there are.
            min_genes: How many there have to be.
            kind: What else they are, in words.

        Raises:
            InputError: If there are fewer, or `min_genes` is below 1.
        """
        if min_genes < 1:
            raise InputError(
                f"Expected at least 1 gene to average over. Received: min_genes={min_genes}"
            )
        if num_genes >= min_genes:
            return
        remedies = [f"--min-genes {num_genes}"] if num_genes else []
        remedies += ["another --on-threshold"]
        if self.genes.split != "all":
            remedies += ["--split all"]
        raise InputError(
            f"Expected at least {min_genes} {kind}, of split {self.genes.split!r} of "
            f"{self.dataset.name}. Received: {num_genes} of {len(self.genes)} ({self.on_rule}); "
            f"take {' or '.join(remedies)}"
        )

    @property
    def bin_start_bp(self) -> np.ndarray:
        """Where each bin starts, in bp from the TSS, int64 `(bins,)`."""
        return np.arange(self.dataset.num_bins) * self.dataset.bin_bp - self.dataset.flank_bp

    @property
    def tss_distance_bp(self) -> np.ndarray:
        """How far the middle of each bin is from the TSS, in bp, float64 `(bins,)`."""
        return abs(self.bin_start_bp + self.dataset.bin_bp / 2)

    def background(self, num_genes: int = 500, *, seed: int = 0) -> np.ndarray:
        """Signal of training genes drawn at random, for methods that compare with others.

        Args:
            num_genes: How many, or all if there are fewer.
            seed: Seeds the draw.

        Returns:
            float32 `(genes, bins, marks)`.
        """
        signal = self.run.load_genes("train", dataset=self.dataset, labels=self.labels).signal
        rows = np.random.default_rng(seed).permutation(len(signal))[:num_genes]
        return signal[np.sort(rows)]

    def to_xarray(self, variables: Mapping[str, tuple[Any, np.ndarray]]) -> xr.Dataset:
        """The genes with what was found out about them.

        Args:
            variables: Dimensions, of gene, mark and bin, values, and perhaps attributes of each
                variable, as `xarray.Dataset` takes them.

        Returns:
            These variables, and `signal` (gene, mark, bin), `probability`, `label` and `rpkm`
            (gene); of regression `expression`, as predicted, in the place of `probability`.
            Coordinates: `gene`, a name that no other gene of the dataset has, so that
            `.sel(gene="PAX5")` finds it; `mark`; `bin`, the start of the bin in bp relative to the
            TSS, along the genome, or along the direction of transcription for genes where
            `oriented` is true; and along gene `gene_id`, `symbol`, `transcript_id`, `chrom`,
            `tss`, `strand`, `oriented`.
        """
        import xarray as xr

        genes = self.genes
        of_genes: dict[str, dict[str, Any]] = {
            "gene_id": {},
            "symbol": {"long_name": "gene symbol, '' where unknown"},
            "transcript_id": {"long_name": "transcript that the TSS is of, '' where not chosen"},
            "chrom": {},
            "tss": {"units": "bp", "long_name": "0-based position of the TSS, -1 where unknown"},
            "strand": {},
            "oriented": {"long_name": "whether bins run in the direction of transcription"},
        }
        return xr.Dataset(
            {
                **variables,
                "signal": (
                    ("gene", "mark", "bin"),
                    genes.signal.transpose(0, 2, 1),
                    {
                        "units": self.dataset.signal_unit(genes.signal),
                        "long_name": "signal as measured",
                    },
                ),
                self.prediction.output: (
                    "gene",
                    self.prediction.answer,
                    self.run.task.about_answer(self.dataset.unit),
                ),
                "label": ("gene", genes.label, {"long_name": "1 for high expression, 0 for low"}),
                "rpkm": (
                    "gene",
                    genes.rpkm,
                    {"units": self.dataset.unit, "long_name": "expression"},
                ),
            },
            coords={
                "gene": ("gene", self.gene_names, {"long_name": "name that no other gene has"}),
                "mark": list(self.run.marks),
                "bin": (
                    "bin",
                    self.bin_start_bp,
                    {"units": "bp", "long_name": "bin start relative to the TSS"},
                ),
                **{
                    name: ("gene", getattr(genes, name), attributes)
                    for name, attributes in of_genes.items()
                },
            },
            attrs={
                "dataset": self.dataset.name,
                "split": genes.split,
                "label_rule": self.labels,
                "variant": self.run.model_name,
                "bin_bp": self.dataset.bin_bp,
                "source": f"keras-chrome {version('keras-chrome')}",
            },
        )


def open_study(
    run_dir: str | Path,
    *,
    split: str | None = None,
    gene: str | None = None,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    labels: str | None = None,
    on_threshold: str | float | None = None,
) -> Study:
    """Load a run's model and genes.

    The genes are those of `GeneOptions`. Here its names are spelled out, so that an unknown one is
    refused. `on_threshold` is that of `ThresholdArguments`; whoever gives it asks which genes are
    predicted ON.

    Raises:
        InputError: If the run, the dataset or the gene is missing, or they do not fit each other,
            there is no such threshold, or the run is of regression and one is given.
    """
    on_choice = _on_choice("balanced" if on_threshold is None else on_threshold)
    run = open_run(run_dir)
    if on_threshold is not None:
        run.check_classifies()
    opened = run.open_dataset(dataset, data_dir)
    if opened.parts:
        raise InputError(
            f"Expected one epigenome to ask {run.path} about. Received: dataset={opened.name!r}; "
            f"take --dataset {' or '.join(part.name for part in opened.parts)}"
        )
    labels = label_rule(labels or run.labels)
    if gene is None:
        genes = run.load_genes(split or "test", dataset=opened, labels=labels)
        return Study(run, opened, labels, genes, run.load_model(), on_choice=on_choice)
    names = read_gene_names(opened, labels)
    splits = _splits_of(run, names)
    wanted = None if split == "all" else split
    position = names.find(gene, where=opened.name, splits=splits, wanted=wanted)
    if names.label[position] < 0:
        raise InputError(
            f"Expected a gene that has a label by the rule {labels!r}. Received: gene={gene!r}, "
            f"{names.gene_id[position]} of {opened.name}, which has none"
        )
    genes = load_genes(opened, str(names.split[position]), marks=run.marks, labels=labels)
    # Genes without label are not loaded.
    is_loaded = (names.split == names.split[position]) & (names.label >= 0)
    is_asked_for = np.arange(len(genes)) == is_loaded[:position].sum()
    gene_name = str(names.unique[position])
    genes = genes.subset(str(splits[position]), is_asked_for)
    return Study(run, opened, labels, genes, run.load_model(), gene_name, on_choice)


def _on_choice(on_threshold: str | float) -> str | float:
    """One of `ON_RULES`, or a probability."""
    rule = as_spelled(str(on_threshold), ON_RULES)
    if rule in ON_RULES:
        return rule
    try:
        probability = float(on_threshold)
    except (TypeError, ValueError):
        probability = math.nan
    if 0 < probability < 1:
        return probability
    raise InputError(
        f"Expected {', '.join(ON_RULES)} or a probability between 0 and 1. Received: "
        f"on_threshold={on_threshold!r}"
    )


def _splits_of(run: Run, names: GeneNames) -> np.ndarray:
    """The split that the run has each gene of a dataset in; '' where it has it in none."""
    import pandas as pd

    if run.config.split == "dataset":
        return names.split
    splits = run.splits.drop_duplicates("gene_id")
    of_gene = pd.Series(names.gene_id).map(splits.set_index("gene_id")["split"])
    return of_gene.where(of_gene.isin(SPLITS), "").to_numpy(str)
