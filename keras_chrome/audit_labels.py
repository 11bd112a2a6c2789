"""Which rule made the published labels, and what the right one changes.

The authors call a gene high if its RPKM is above the epigenome's median, but the labels in their
files come of comparing the two numbers as text, in which "10.2" is below "3.9".

As a command: `python -m keras_chrome.audit_labels --dataset remc/E003`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.data import open_dataset, read_columns
from keras_chrome.errors import InputError
from keras_chrome.runs.files import checked_directory, write_csv
from keras_chrome.tables import format_table
from keras_chrome.vocabulary import SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.data import Dataset

_FEATURES = ("gene_id", "symbol", "rpkm", "label_published")
_NUM_EXAMPLES = 3


class Rule(NamedTuple):
    """A rule that may have made the labels, applied to genes.

    Attributes:
        name: Short name, a column of the audit's genes.
        high_if: The comparison that makes a gene high, with its numbers.
        is_high: bool `(genes,)`.
    """

    name: str
    high_if: str
    is_high: np.ndarray


@dataclass(frozen=True)
class LabelAudit:
    """Published labels against the rules that may have made them.

    Attributes:
        dataset: `remc/E003`.
        median_rpkm: The dataset's threshold: what a gene of high expression exceeds.
        rules: A row a rule, the published labels themselves first: `rule`, `high_if`,
            `num_genes` compared, `num_agree` of them, `agreement` as a share, and
            `positive_rate_train`, `positive_rate_valid`, `positive_rate_test`, NaN for a split
            without genes.
        genes: A row a gene compared: `split`, `gene_id`, `symbol`, `rpkm`, `label_published`, and
            a column a rule; labels are 1 for high, 0 for low.
        num_without_label: Genes left out because they have no published label.
        num_without_rpkm: Further genes left out because their RPKM is unknown.
    """

    dataset: str
    median_rpkm: float
    rules: pd.DataFrame
    genes: pd.DataFrame
    num_without_label: int
    num_without_rpkm: int

    def differing_genes(self) -> pd.DataFrame:
        """Genes whose published label is not `rpkm > median`, the furthest from it first."""
        genes = self.genes[self.genes["label_published"] != self.genes["numeric"]]
        distance = (genes["rpkm"] - self.median_rpkm).abs()
        return genes.loc[distance.sort_values(ascending=False, kind="stable").index]


def audit_labels(dataset: str, data_dir: str | Path | None = None) -> LabelAudit:
    """Compare a dataset's published labels with the rules that may have made them.

    Args:
        dataset: A built dataset with published labels, such as `remc/E003`.
        data_dir: Where datasets were built; TFDS's default if None.

    Raises:
        InputError: If there is no such dataset, or it has no published labels or no RPKM.

    Example:
        >>> audit_labels("remc/E003", "data").rules[["rule", "agreement"]]
    """
    opened = open_dataset(dataset, data_dir)
    # Without RPKM there is no median either, and the audit says what is missing.
    median_rpkm = opened.metadata.get("median_rpkm", math.nan)
    return audit_genes(_read_genes(opened), dataset=opened.name, median_rpkm=median_rpkm)


def audit_genes(genes: pd.DataFrame, *, dataset: str, median_rpkm: float) -> LabelAudit:
    """Compare the published labels of genes with the rules that may have made them.

    Args:
        genes: `gene_id`, `symbol`, `split`; `rpkm`, float32 and NaN where unknown;
            `label_published`, 1 for high, 0 for low, -1 where there is none.
        dataset: The name of their dataset.
        median_rpkm: The dataset's threshold: what a gene of high expression exceeds.

    Raises:
        InputError: If none of them has a published label, or none of those that do an RPKM.
    """
    import pandas as pd

    labelled = genes[genes["label_published"] >= 0]
    if labelled.empty:
        raise InputError(
            f"Expected a dataset with published labels. Received: dataset={dataset!r}, where none "
            f"of {len(genes)} genes has one; audit one built from the authors' archive"
        )
    compared = labelled[labelled["rpkm"].notna()]
    if compared.empty:
        raise InputError(
            f"Expected a dataset with RPKM. Received: dataset={dataset!r}, where none of "
            f"{len(labelled)} labelled genes has one; build it again with an RPKM table that has "
            "its genes"
        )
    compared = compared.assign(rpkm=decimal_rpkm(compared["rpkm"].to_numpy()))
    published = compared["label_published"].to_numpy() == 1
    split = compared["split"].to_numpy()
    rules = candidate_rules(compared["rpkm"].to_numpy(), median_rpkm, published)
    return LabelAudit(
        dataset=dataset,
        median_rpkm=median_rpkm,
        rules=pd.DataFrame(
            [
                _agreement(rule, published, split)
                for rule in (Rule("published", "the authors' file says so", published), *rules)
            ]
        ),
        genes=compared.assign(**{rule.name: rule.is_high.astype(int) for rule in rules}),
        num_without_label=len(genes) - len(labelled),
        num_without_rpkm=len(labelled) - len(compared),
    )


def candidate_rules(rpkm: np.ndarray, median_rpkm: float, published: np.ndarray) -> list[Rule]:
    """Label genes by each rule that may have made the published labels.

    Args:
        rpkm: float64 `(genes,)`, none of them NaN.
        median_rpkm: The dataset's threshold: what a gene of high expression exceeds.
        published: bool `(genes,)`, true for high, to which the best thresholds are fitted.

    Returns:
        The rules that compare numbers, then those that compare text. The best of each kind is
        what the kind can do at all, whatever median the authors took.
    """

    def above(name: str, threshold: float, what: str) -> Rule:
        return Rule(name, f"rpkm > {threshold:.5g}{what}", rpkm > threshold)

    # A NumPy scalar's repr is no number.
    median_text, texts = repr(float(median_rpkm)), np.array([repr(x) for x in rpkm.tolist()])
    best_text = best_threshold(texts, published)
    return [
        above("numeric", median_rpkm, ", the median"),
        Rule("not_below", f"rpkm >= {median_rpkm:.5g}, the median", rpkm >= median_rpkm),
        above("own_median", np.median(rpkm), ", the median of these genes"),
        above("own_mean", rpkm.mean(), ", the mean of these genes"),
        above("above_1", 1.0, ""),
        above("best_number", best_threshold(rpkm, published), ", the best for these genes"),
        Rule("string", f"repr(rpkm) > {median_text!r}, the median", texts > median_text),
        Rule("best_string", f"repr(rpkm) > {best_text!r}, the best", texts > best_text),
    ]


def best_threshold(values: np.ndarray, published: np.ndarray) -> Any:
    """The threshold with which `value > threshold` agrees with the most published labels.

    Args:
        values: `(genes,)` RPKMs, as numbers or as text.
        published: bool `(genes,)`, true for high.

    Returns:
        One of the values, the lowest if several are as good.
    """
    candidates, position = np.unique(values, return_inverse=True)
    # What is gained, over calling every gene high, by calling those up to a candidate low.
    gain = np.bincount(position, weights=np.where(published, -1, 1)).cumsum()
    return candidates[gain.argmax()].item()


def decimal_rpkm(rpkm: np.ndarray) -> np.ndarray:
    """The decimal numbers of the RPKM table, as float64, from float32.

    They are the shortest decimals that round to the float32. For the three decimals of the table
    this is exact up to 16,384, where neighbouring float32 come to lie 0.001 apart; beyond that the
    last decimal may be lost, which decides nothing against a median of a few RPKM.
    """
    return rpkm.astype(np.float32).astype(str).astype(np.float64)


def _read_genes(dataset: Dataset) -> pd.DataFrame:
    """All genes of a dataset, whatever their labels, and their splits."""
    import pandas as pd

    tables = []
    for split in SPLITS:
        columns = read_columns(dataset, split)
        tables.append(pd.DataFrame({"split": split} | {name: columns[name] for name in _FEATURES}))
    return pd.concat(tables, ignore_index=True)


def _agreement(rule: Rule, published: np.ndarray, split: np.ndarray) -> dict[str, Any]:
    import pandas as pd

    agrees = rule.is_high == published
    rate = pd.Series(rule.is_high).groupby(split).mean()
    return {
        "rule": rule.name,
        "high_if": rule.high_if,
        "num_genes": len(agrees),
        "num_agree": int(agrees.sum()),
        "agreement": float(agrees.mean()),
        **{f"positive_rate_{name}": rate.get(name, math.nan) for name in SPLITS},
    }


def summary(audit: LabelAudit) -> str:
    """An audit as tables and words."""
    genes, differing = audit.genes, audit.differing_genes()
    num_high = int(differing["label_published"].sum())
    paragraphs = [
        f"{audit.dataset}: {len(genes)} genes, median RPKM {audit.median_rpkm:.5g}; left out: "
        f"{audit.num_without_label} genes without a published label, {audit.num_without_rpkm} "
        "without RPKM",
        format_table(
            [
                {
                    "rule": row["rule"],
                    "high if": row["high_if"],
                    "agree": f"{row['num_agree']} of {row['num_genes']}",
                    "agreement": row["agreement"],
                    **{f"high in {name}": row[f"positive_rate_{name}"] for name in SPLITS},
                }
                for _, row in audit.rules.iterrows()
            ]
        ),
    ]
    if differing.empty:
        return "\n\n".join([*paragraphs, "Every gene is labelled as by rpkm > median, as numbers."])
    examples = differing.head(_NUM_EXAMPLES).assign(median_rpkm=audit.median_rpkm)
    columns = ["gene_id", "symbol", "split", "rpkm", "median_rpkm", "label_published", "numeric"]
    paragraphs += [
        f"{len(differing)} of {len(genes)} genes ({len(differing) / len(genes):.1%}) are labelled "
        f"other than by rpkm > median, as numbers: {len(differing) - num_high} above the median "
        f"are published as low, {num_high} not above it as high. The furthest from it:",
        format_table([dict(row) for _, row in examples[columns].iterrows()]),
    ]
    return "\n\n".join(paragraphs)


def write_audit(audit: LabelAudit, directory: Path) -> list[Path]:
    """Write `audit.csv`, a row a rule, and `genes.csv`."""
    files = [directory / "audit.csv", directory / "genes.csv"]
    for path, table in zip(files, (audit.rules, audit.genes), strict=True):
        write_csv(path, table)
    return files


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command."""

    dataset: str = option("built dataset, such as remc/E003")
    data_dir: Path | None = option("where datasets were built (default: TFDS's own)", default=None)
    out: Path | None = option("directory for audit.csv, a row a rule, and genes.csv", default=None)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.audit_labels",
        description="Compare a dataset's published labels with the rules that may have made them.",
    )
    if given.out:
        checked_directory(given.out)
    quieten_tensorflow()
    audit = audit_labels(given.dataset, given.data_dir)
    print(summary(audit))
    if given.out:
        print("", *write_audit(audit, given.out), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
