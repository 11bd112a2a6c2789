"""What was measured, as Markdown."""

import statistics
import textwrap
from typing import Any

from sides import OURS, REFERENCE

from keras_chrome.tables import markdown_table

# Of a gene in 100 bins and 5 marks. Forward: recurrent products 8.19, input 0.26, attention 0.13,
# the LSTM over marks 0.10; training takes three times as many.
MFLOP = {"training": 26.0, "inference": 8.7}

# What is no worse to a reader of AUROCs.
CLOSE = 0.002

_INTRODUCTION = """\
# Benchmarks

Written by `make bench`, with everything it measured in `benchmarks.json`. The model is
attentive_chrome in float32: 5 marks, 100 bins, 32 units a direction over bins and 16 over marks.
A test (`tests/benchmarks/test_sides.py`) shows that the sides compute the same.

- **keras-chrome**: what `fit` and `predict` run.
- **PyTorch, reference design**: one `nn.LSTM` and one attention a mark in a Python loop, as the
  paper's code is designed; written anew from the paper.
- **PyTorch, one recurrence**: all marks and both directions in one loop over the bins.
- **stock Keras**: our model with one `keras.layers.LSTM` a mark and direction and Keras's own
  training step, as a graph (`jit_compile=False`) or under XLA (`jit_compile=True`).
- **SavedModel**, **ONNX Runtime**: our model as `python -m export` writes it. TensorFlow's session
  runs the one, as it does in TensorFlow Serving, ONNX Runtime the other; no server is between.

Each side has a process of its own with all cores, and the sides take turns. A time is the median of
the turns; the range of the turns stands beside it.

![Genes a second, and AUROC against time](benchmarks.png)
"""


def document(parts: dict[str, Any]) -> str:
    """The whole document, of the parts that were measured."""
    sections = {
        "training": ("Training", _training),
        "inference": ("Inference", _inference),
        "variants": ("Inference of every variant", _variants),
        "models": ("What is had for how many seconds", _models),
        "commands": ("Whole commands", _commands),
        "accuracy": ("Time to accuracy of the published training", _accuracy),
        "memory": ("Memory", _memory),
        "growth": ("How a training step grows", _growth),
        "bank": ("A bank of models", _bank),
    }
    texts = [_INTRODUCTION]
    for name, (title, write) in sections.items():
        if name in parts:
            text, rows = write(parts[name])
            circumstances = _circumstances(parts[name]["measured"])
            texts.append(
                f"## {title}\n\n{_wrap(text)}\n\n{markdown_table(rows)}\n\n{_wrap(circumstances)}\n"
            )
    return "\n".join(texts)


def genes_per_second(row: dict[str, Any]) -> float:
    """Of the median turn."""
    return row["batch"] / statistics.median(row["step_s"])


# A section is its text and the rows of its table.
_Section = tuple[str, list[dict[str, str]]]


def _training(part: dict[str, Any]) -> _Section:
    text = (
        "A step is gradient, clipping and Adam, fed by a shuffled input pipeline. The first call "
        "traces and compiles; it comes once for each batch size. "
    )
    return text + _peak("training", part), _rows("training", part)


def _inference(part: dict[str, Any]) -> _Section:
    text = "Probability, alpha and beta of one batch, from NumPy to NumPy. "
    return text + _peak("inference", part), _rows("inference", part)


def _peak(task: str, part: dict[str, Any]) -> str:
    return (
        f"A gene takes {MFLOP[task]:g} MFLOP. The machine's peak is the {part['peak_gflops']:.0f} "
        "GFLOP/s that it reached in a product of two float32 matrices of 2048 x 2048 in the same "
        "run; a side at 100 % of it would stand on the machine's floor."
    )


def _rows(task: str, part: dict[str, Any]) -> list[dict[str, str]]:
    reference = {
        row["batch"]: genes_per_second(row) for row in part["rows"] if row["side"] == REFERENCE
    }
    rows = []
    for row in part["rows"]:
        speed = genes_per_second(row)
        share = speed * MFLOP[task] / 1e3 / part["peak_gflops"]
        rows.append(
            {
                "": _name(row["side"]),
                "batch": f"{row['batch']}",
                "ms": _milliseconds(row["step_s"]),
                "genes/s": f"{speed:,.0f}",
                "ratio to the reference": _ratio(speed, reference.get(row["batch"])),
                "of the peak": f"{share:.1%}",
                "first call, s": f"{row['first_call_s']:.1f}",
            }
        )
    return rows


def _variants(part: dict[str, Any]) -> _Section:
    text = (
        "Genes a second, of batches of so many genes, all outputs of a variant: of keras-chrome, "
        "and behind the stroke of its SavedModel and in ONNX Runtime. The last column has the "
        "times of one gene, in ms."
    )
    cells: dict[str, dict[int, list[float]]] = {}
    for row in part["rows"]:
        cells.setdefault(row["variant"], {}).setdefault(row["batch"], []).append(
            genes_per_second(row)
        )
    rows = []
    for variant, of_batch in cells.items():
        alone = of_batch.pop(1)
        speeds = {
            f"{batch:,} genes": " / ".join(f"{speed:,.0f}" for speed in speeds)
            for batch, speeds in of_batch.items()
        }
        times = " / ".join(f"{1e3 / speed:.2f}" for speed in alone)
        rows.append({"variant": f"`{variant}`", **speeds, "one gene, ms": times})
    return text, rows


def _models(part: dict[str, Any]) -> _Section:
    rows = []
    for row in sorted(part["rows"], key=lambda row: -row["valid_auroc"]):
        curve = row["curve"]
        close = best = ""
        if curve:
            most = max(auroc for _, auroc in curve)
            best = f"{time_to(curve, most):.0f}"
            close = f"{time_to(curve, most - CLOSE):.0f}"
        rows.append(
            {
                "": f"`{row['model']}`",
                "whole command, s": f"{row['wall_s']:.0f}",
                "best epoch after, s": best,
                f"within {CLOSE:g} of it after, s": close,
                "validation AUROC": f"{row['valid_auroc']:.4f}",
                "test AUROC": f"{row['test_auroc']:.4f}",
            }
        )
    text = (
        f"`python -m keras_chrome.fit --dataset {part['dataset']} --model MODEL`, all else as it "
        "is by default (median labels), seed 0. Wall clock from the start of the command: with "
        "imports, reading, compilation, validation, checkpoints, predictions and intervals. The "
        "best epoch is the one whose weights are kept; baselines have none. The AUROCs are those "
        "of one training: the README's table has several."
    )
    return text, rows


# What users start most, by the names of `startup.py`.
_COMMANDS = {
    "help": "`keras_chrome.attend --help`",
    "attend": "`keras_chrome.attend RUN --plot GENE`",
    "evaluate": "`keras_chrome.evaluate RUN`",
    "export": "`export RUN`",
}


def _commands(part: dict[str, Any]) -> _Section:
    rows = [
        {
            "": _COMMANDS[row["command"]],
            "wall clock, s": f"{row['wall_s']:.2f}",
            "CPU, s": f"{row['cpu_s']:.2f}",
        }
        for row in part["rows"]
    ]
    text = (
        f"Of a run of `attentive_chrome` on {part['dataset']}, each with the start of Python and "
        "its imports: its words, a figure of one gene, the metrics of all test genes with their "
        "intervals, and a SavedModel, checked in a fresh process. `benchmarks/startup.py` takes "
        "them in turns with those of another checkout."
    )
    return text, rows


def _accuracy(part: dict[str, Any]) -> _Section:
    rows = []
    walls = {row["side"]: row["wall_s"] for row in part["rows"]}
    for row in part["rows"]:
        reached = time_to(row["curve"], part["target_auroc"])
        rows.append(
            {
                "": _name(row["side"]),
                "whole command, s": f"{row['wall_s']:.0f}",
                "ratio to the reference": _ratio(walls[REFERENCE], row["wall_s"]),
                f"validation AUROC {part['target_auroc']:g} after": (
                    "not reached" if reached is None else f"{reached:.0f} s"
                ),
                "best validation AUROC": f"{max(auroc for _, auroc in row['curve']):.4f}",
                "test AUROC": f"{row['test_auroc']:.4f}",
            }
        )
    read_s = next(row["read_s"] for row in part["rows"] if row["side"] == REFERENCE)
    text = (
        f"`python -m keras_chrome.fit --preset paper --epochs {part['epochs']}` on "
        f"{part['dataset']}, and `benchmarks/pytorch_reference.py`, which trains the reference "
        f"design likewise: published labels, batches of 16, Adam at 1e-4, gradients clipped to "
        f"norm 1, {part['epochs']} epochs, the weights of the best validation AUROC. Wall clock "
        "from the start of the command: with imports, reading, compilation and validation; ours "
        "also writes checkpoints and predictions and computes bootstrap intervals. Both read the "
        f"dataset through TensorFlow, which takes the reference {read_s:.0f} s."
    )
    return text, rows


def time_to(curve: list[list[float]], auroc: float) -> float | None:
    """Seconds until a validation AUROC is first reached; None if it never is."""
    return next((seconds for seconds, reached in curve if reached >= auroc), None)


def _memory(part: dict[str, Any]) -> _Section:
    rows = [
        {
            "": _name(row["side"]),
            "imported, MiB": f"{row['imported_mib']:,.0f}",
            "peak, MiB": f"{row['peak_mib']:,.0f}",
            "difference, MiB": f"{row['peak_mib'] - row['imported_mib']:,.0f}",
        }
        for row in part["rows"]
    ]
    text = (
        f"Greatest resident set of a process that trains at batch {part['batch']}, compilation "
        "included, and of the same process when it had imported its framework."
    )
    return text, rows


def _growth(part: dict[str, Any]) -> _Section:
    rows = []
    for row in part["rows"]:
        step_s = statistics.median(row["step_s"])
        size = row["batch"] * row["bins"] * row["marks"]
        rows.append(
            {
                "genes": f"{row['batch']}",
                "bins": f"{row['bins']}",
                "marks": f"{row['marks']}",
                "ms a step": _milliseconds(row["step_s"]),
                "ns a gene, bin and mark": f"{1e9 * step_s / size:,.0f}",
            }
        )
    text = (
        "A training step of keras-chrome. Where the last column stays the same, the cost is "
        "proportional to the axis."
    )
    return text, rows


def _bank(part: dict[str, Any]) -> _Section:
    (alone,) = (genes_per_second(row) for row in part["rows"] if row["bank"] == 1)
    rows = []
    for row in part["rows"]:
        speed = row["bank"] * genes_per_second(row)
        rows.append(
            {
                "models": f"{row['bank']}",
                "ms a step of all": _milliseconds(row["step_s"]),
                "genes/s of all": f"{speed:,.0f}",
                "ratio to one alone": _ratio(speed, alone),
                "first call, s": f"{row['first_call_s']:.1f}",
            }
        )
    text = (
        "Several models trained at once, each on batches of its own "
        f"({part['rows'][0]['batch']} genes), as `sweep --bank` does it; one alone as `fit` does."
    )
    return text, rows


def _circumstances(measured: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    turns = f"medians of {measured['turns']} turns; " if measured["turns"] else ""
    return (
        f"{measured['date']}, {measured['cpu']}, {measured['cores']} cores; {versions}; {turns}"
        f"`{measured['command']}`."
    )


def _wrap(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _milliseconds(seconds: list[float]) -> str:
    median, least, most = (1e3 * f(seconds) for f in (statistics.median, min, max))
    digits = 1 if median >= 10 else 2
    return f"{median:.{digits}f} ({least:.{digits}f}-{most:.{digits}f})"


def _ratio(speed: float, reference: float | None) -> str:
    return "" if reference is None else f"{speed / reference:.2f}"


def _name(side: str) -> str:
    return f"**{side}**" if side == OURS else side
