"""The page: what was collected of runs, laid out as one HTML file that loads nothing."""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from keras_chrome.models.task import CLASSIFICATION
from keras_chrome.report.collect import CollectedRun, Finding, findings_of
from keras_chrome.report.curves import (
    error_histogram,
    precision_recall_points,
    roc_points,
    tenths,
)
from keras_chrome.report.encode import (
    GENES_A_CHUNK,
    EncodedGenes,
    encode_genes,
    encode_json,
    json_in_script,
)
from keras_chrome.report.svg import inline_svg
from keras_chrome.report.theme import theme_css
from keras_chrome.runs.config import LOCAL_OPTIONS
from keras_chrome.runs.validation_mark import VALIDATION_MARK
from keras_chrome.statistics.calibration import calibration_bins
from keras_chrome.tables import format_number

# Genomes that the genome browser of UCSC knows by this name.
_UCSC_GENOMES = ("hg19", "hg38", "mm10")


def render_page(runs: Sequence[CollectedRun]) -> str:
    """Lay out a report.

    Args:
        runs: From `collect_runs`.

    Returns:
        HTML. Its Content-Security-Policy allows this one script and this one style sheet, by their
        hashes, and forbids to load anything.
    """
    marks = list(dict.fromkeys(mark for run in runs for mark in run.marks))
    here = files("keras_chrome.report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": _number, "percent": _percent, "thousands": _thousands}
    style = theme_css(marks) + (here / "page.css").read_text()
    script = (here / "page.js").read_text()
    shown = [_shown_run(run, place, marks) for place, run in enumerate(runs)]
    task = runs[0].study.run.task
    return environment.from_string((here / "page.html").read_text()).render(
        title=f"{', '.join(run.name for run in runs)} - keras-chrome report",
        version=version("keras-chrome"),
        style=Markup(style),
        style_hash=_hash(style),
        script=Markup(script),
        script_hash=_hash(script),
        data=Markup(
            json_in_script(
                {"marks": marks, "task": task.name, "runs": [run["data"] for run in shown]}
            )
        ),
        task=task,
        runs=shown,
    )


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _shown_run(run: CollectedRun, place: int, marks: Sequence[str]) -> dict[str, Any]:
    """What the template knows of a run; `data` is what the script knows."""
    study = run.study
    genes, task = study.genes, study.run.task
    agreement = _classified(run) if task is CLASSIFICATION else _regressed(run)
    encoded = _encode(run)
    return {
        "place": place,
        "name": run.name,
        "path": run.path,
        "model": study.run.model_name,
        "dataset": study.dataset.name,
        "labels": study.labels,
        "metrics": run.metrics,
        "median_rpkm": study.dataset.metadata.get("median_rpkm"),
        "unit": study.dataset.unit,
        "training": run.training,
        "facts": _facts(run),
        "quality": run.quality and {**run.quality, "numbers": _mark_numbers(run.quality, marks)},
        "history": None if run.history is None else run.history.to_dict("records"),
        "title": task.title(study.labels, study.dataset.unit),
        "agreement": agreement,
        "findings": [_shown_finding(run, finding, place) for finding in findings_of(task)],
        "chunks": encoded.chunks,
        "genes": _gene_table(run),
        "data": {
            "name": run.name,
            "numGenes": len(genes),
            "marks": [marks.index(mark) for mark in study.run.marks],
            "numBins": study.dataset.num_bins,
            "binBp": study.dataset.bin_bp,
            "flankBp": study.dataset.flank_bp,
            "genesAChunk": GENES_A_CHUNK,
            "layers": encoded.layers,
            "ucsc": genome
            if (genome := study.dataset.metadata.get("genome")) in _UCSC_GENOMES
            else None,
            "labels": study.labels,
            "notes": _notes(run),
            "quality": run.quality and _profiles(run.quality, marks),
            "history": None
            if run.history is None
            else {**_columns(run.history), "best_epoch": run.training.get("best_epoch")},
            "scale": task.title(study.labels, study.dataset.unit),
            "unit": study.dataset.unit,
            **agreement,
        },
    }


def _classified(run: CollectedRun) -> dict[str, Any]:
    """How probabilities agree with labels."""
    label, probability = run.study.genes.label, run.prediction.probability
    return {
        "metrics": {name: run.metrics[name] for name in ("auroc", "auprc", "positive_rate", "ece")},
        "roc": roc_points(label, probability),
        "precisionRecall": precision_recall_points(label, probability),
        "calibration": [of_bin._asdict() for of_bin in calibration_bins(label, probability)],
        "histogram": [
            np.histogram(probability[label == of], 20, (0, 1))[0].tolist() for of in (0, 1)
        ],
    }


def _regressed(run: CollectedRun) -> dict[str, Any]:
    """How predicted expression agrees with what was measured."""
    measured, predicted = run.study.run.task.truth(run.study.genes), run.prediction.answer
    counts, edges = error_histogram(measured, predicted)
    return {
        "metrics": {name: run.metrics[name] for name in ("pearson", "spearman", "r2")},
        "scatter": np.round(np.stack([measured, predicted], axis=1), 2).tolist(),
        "tenths": [tenth._asdict() for tenth in tenths(measured, predicted)],
        "errors": {"counts": counts, "low": edges[0], "high": edges[1]},
    }


def _encode(run: CollectedRun) -> EncodedGenes:
    layers = {
        "signal": run.study.genes.signal.swapaxes(1, 2),
        "alpha": run.prediction.alpha,
        "beta": run.prediction.beta,
        "saliency": run.saliency,
        **_contributions(run.prediction.contribution),
    }
    return encode_genes({name: values for name, values in layers.items() if values is not None})


def _contributions(contribution: np.ndarray | None) -> dict[str, np.ndarray]:
    """What bins add and take away, apart, so that 0 stays 0; and the exact sum of each mark."""
    if contribution is None:
        return {}
    return {
        "raises": contribution.clip(min=0),
        "lowers": (-contribution).clip(min=0),
        "adds": contribution.sum(axis=2, dtype=np.float64),
    }


def _gene_table(run: CollectedRun) -> str:
    genes, unit = run.study.genes, run.study.dataset.unit
    task, answer = run.study.run.task, run.prediction.answer
    return encode_json(
        {
            "name": run.study.gene_names.tolist(),
            "id": genes.gene_id.tolist(),
            "symbol": genes.symbol.tolist(),
            "transcript": genes.transcript_id.tolist(),
            "chrom": genes.chrom.tolist(),
            "tss": genes.tss.tolist(),
            "strand": genes.strand.tolist(),
            "oriented": genes.oriented.astype(int).tolist(),
            "label": genes.label.tolist(),
            "expression": [
                f"{format_number(r)} {unit}" if math.isfinite(r) else ""
                for r in genes.rpkm.tolist()
            ],
            **{
                name: [float(f"{value:.4f}") for value in values.tolist()]
                for name, values in task.columns(task.truth(genes), answer).items()
                if name != "label"
            },
        }
    )


def _notes(run: CollectedRun) -> list[str]:
    """What the gene browser cannot show of this model."""
    name = run.study.run.model_name
    has = {"alpha": run.prediction.alpha is not None, "beta": run.prediction.beta is not None}
    missing = " and ".join(layer for layer, is_there in has.items() if not is_there)
    notes = [f"{name} has no {missing}"] if missing else []
    return notes + ([run.no_saliency] if run.no_saliency else [])


def _columns(history: pd.DataFrame) -> dict[str, list[float | None]]:
    # JSON has no NaN.
    return {
        str(name): [v if math.isfinite(v) else None for v in values.astype(float)]
        for name, values in history.items()
    }


def _profiles(quality: Mapping[str, Any], marks: Sequence[str]) -> dict[str, Any]:
    return {
        "flankBp": quality["flank_bp"],
        "binBp": quality["bin_bp"],
        "marks": [
            {
                "mark": marks.index(of_mark["mark"]),
                **{
                    name: profile and [float(f"{v:.4g}") for v in profile]
                    for name in ("profile", "profile_high", "profile_low")
                    for profile in [of_mark.get(name)]
                },
            }
            for of_mark in quality["marks"]
        ],
    }


def _mark_numbers(quality: Mapping[str, Any], marks: Sequence[str]) -> list[dict[str, Any]]:
    names = ("mark", "mean_signal", "zero_share", "peak_bp", "tss_enrichment", "auroc")
    return [
        {"place": marks.index(of_mark["mark"]), **{name: of_mark.get(name) for name in names}}
        for of_mark in quality["marks"]
    ]


_NETWORKS = {"untrained": ", untrained", "permuted_labels": ", shuffled labels"}
_LEVELS = {"profile": "Means over genes, correlated", "gene": "Each gene correlated, then the mean"}
_CONTROLS = {
    "none": "r",
    "signal": "its signal held fixed",
    "distance": "distance held fixed",
    "both": "both held fixed",
}


def _correlation_tables(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Pearson's correlations of `compare`, a table a level: a row a method, a column a control."""
    pearson = table[table["statistic"] == "pearson"]
    # An earlier version held a control fixed in one form, and had trained networks only.
    if "form" in table:
        pearson = pearson[pearson["form"].isin(["none", "linear_log"])]
    named = pearson["method"]
    if "network" in table:
        named = named + pearson["network"].map(_NETWORKS).fillna("")
    pearson = pearson.assign(named=named)
    shown = []
    for level, title in _LEVELS.items():
        of_level = pearson[pearson["level"] == level]
        cells = {
            (row["named"], row["control"]): (row["r"], row["low"], row["high"])
            for row in of_level.to_dict("records")
        }
        rows = [
            {"method": named, "cells": [cells.get((named, name)) for name in _CONTROLS]}
            for named in dict.fromkeys(of_level["named"])
        ]
        if rows:
            shown.append({"title": title, "columns": list(_CONTROLS.values()), "rows": rows})
    return shown


def _compared(table: pd.DataFrame) -> str:
    """What `compare` held against what, and over how many genes; an earlier version wrote less."""
    num_genes = f"n = {table['num_genes'].max():,} genes predicted ON"
    first = table.iloc[0]
    if "on_rule" in table:
        num_genes += f" ({first['on_rule']})"
    if "validation_mark" not in table:
        return f"Importance against a mark that was not trained on, {num_genes}"
    held = f"{first['validation_mark']} of {first['validation_dataset']}"
    return f"Importance of {first['mark']} against {held}, {num_genes}"


def _command(run: CollectedRun, finding: Finding) -> str:
    """What measures a finding; a mark that the model has seen is left out of another one first."""
    own = run.study.run
    if finding.name != "compare" or VALIDATION_MARK not in own.marks:
        return finding.command.format(run=run.path)
    other = f"{run.path}_without_{VALIDATION_MARK}"
    data_dir = own.config.options.get("data_dir")
    words = [
        *("python -m keras_chrome.fit --dataset", run.study.dataset.name, "--run-dir", other),
        *(["--data-dir", str(data_dir)] if data_dir else []),
        *("--marks", *(mark for mark in own.marks if mark != VALIDATION_MARK)),
    ]
    return f"{' '.join(words)} && {finding.command.format(run=other)}"


def _shown_finding(run: CollectedRun, finding: Finding, place: int) -> dict[str, Any]:
    table = run.tables.get(finding.name)
    shown: dict[str, Any] = {
        "finding": finding,
        "command": _command(run, finding),
        "rows": None,
        "svg": None,
        "correlations": [],
        "compared": "",
    }
    if table is None:
        return shown
    has_interval = {"low", "high"} <= set(table.columns)
    point = "r" if "r" in table.columns else "value"
    columns = [name for name in table.columns if name not in ("low", "high")]
    shown["columns"] = [
        {"name": name, "is_text": table[name].dtype.kind not in "fiu"} for name in columns
    ]
    shown["rows"] = [
        [
            {
                "value": record[name],
                "interval": (record["low"], record["high"])
                if has_interval and name == point
                else None,
            }
            for name in columns
        ]
        for record in table.to_dict("records")
    ]
    if finding.name == "compare":
        shown |= {"correlations": _correlation_tables(table), "compared": _compared(table)}
    path = run.path / finding.name / f"{finding.name}.svg"
    if path.is_file():
        prefix = f"drawing-of-{place}-{finding.name}-"
        shown["svg"] = Markup(inline_svg(path, prefix=prefix, title=f"{finding.title}, drawn"))
    return shown


def _facts(run: CollectedRun) -> dict[str, Any]:
    """How the run was made, for a table of names and values."""
    config, training = run.study.run.config, run.training
    options = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in config.options.items()
        # Where files lie is nobody's concern but the writer's.
        if name not in LOCAL_OPTIONS and value is not None
    }
    members = "; ".join(
        f"{member.model}, seed {member.seed}, weight {member.weight:.3g}"
        for member in config.members
    )
    measured = ("training_precision", "epochs_run", "best_epoch", "genes_per_second", "wall_s")
    return {
        **options,
        **({"members": members} if members else {}),
        **{name: training[name] for name in measured if name in training},
        "genome": run.study.dataset.metadata.get("genome"),
        "dataset fingerprint": config.dataset and config.dataset.fingerprint,
        "label rule": run.study.dataset.metadata.get("label_rule"),
        **{f"version of {name}": value for name, value in config.versions.items()},
        "version of Python": config.python,
        "git revision": config.git_revision,
    }


def _number(value: Any, digits: int = 3) -> str:
    """A number to some decimals, with a true minus; a dash for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"  # noqa: RUF001
    if isinstance(value, str):
        return value
    # Adding 0 keeps what rounds to nothing from being written as -0.00.
    text = f"{value:,}" if isinstance(value, int) else f"{round(value, digits) + 0.0:,.{digits}f}"
    return text.replace("-", "−")  # noqa: RUF001


def _percent(value: float | None) -> str:
    return _number(None if value is None else 100 * value, 1)


def _thousands(value: int) -> str:
    return f"{value:,}"
