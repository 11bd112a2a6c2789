"""Made-up genes, what a SavedModel says of them by itself, and whether a server says the same."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.description import EXPRESSION, PROBABILITY
from serving.errors import InputError, VerificationError

if TYPE_CHECKING:
    import pandas as pd

_SIDECAR_FILE = Path("assets") / "keras_chrome.json"
# The same graph in the same arithmetic, on another machine's processor; the CSV has 6 digits.
TOLERANCE = 1e-5


def make_signal(model_dir: str | Path, num_genes: int = 16) -> np.ndarray:
    """Made-up genes for an exported model, the same each time: float32 `(genes, bins, marks)`.

    Args:
        model_dir: The SavedModel, `MODELS/NAME/VERSION`.
        num_genes: How many.
    """
    details = _read_sidecar(model_dir)
    # Counts as a ChIP-seq experiment gives: overdispersed, many zeros.
    shape = (num_genes, details["num_bins"], len(details["marks"]))
    return np.random.default_rng(0).negative_binomial(1, 0.2, shape).astype(np.float32)


def write_genes(path: str | Path, signal: np.ndarray) -> None:
    """Write genes as CSV in the published layout, which `serving.client` reads."""
    import pandas as pd

    num_genes, num_bins, num_marks = signal.shape
    names = pd.DataFrame(
        {
            "gene_id": np.repeat(_gene_ids(num_genes), num_bins),
            "bin": np.tile(np.arange(1, num_bins + 1), num_genes),
        }
    )
    values = pd.DataFrame(signal.reshape(-1, num_marks).astype(int))
    pd.concat([names, values], axis=1).to_csv(path, header=False, index=False)


def predict_in_process(model_dir: str | Path, signal: np.ndarray) -> "pd.DataFrame":
    """What the SavedModel says by itself, without any server.

    Returns:
        Columns `gene_id`, `probability` or `expression`, and, where the model has it, `beta_MARK`
        for each mark.
    """
    import pandas as pd
    import tensorflow as tf

    marks = _read_sidecar(model_dir)["marks"]
    model = tf.saved_model.load(str(model_dir))
    outputs = model.signatures["serving_default"](signal=tf.constant(signal))
    name = answer_name(outputs)
    table = pd.DataFrame({"gene_id": _gene_ids(len(signal)), name: outputs[name].numpy()})
    if "beta" in outputs:
        beta = outputs["beta"].numpy()
        table = table.assign(**{f"beta_{mark}": beta[:, i] for i, mark in enumerate(marks)})
    return table


def answer_name(names: Iterable[str]) -> str:
    """What a model tells of a gene, among the names of its outputs or of a table's columns."""
    return next(name for name in names if name in (PROBABILITY, EXPRESSION))


def compare_tables(path: str | Path, golden_path: str | Path) -> float:
    """Compare a table of predictions, as `serving.client` writes it, with a golden one.

    Args:
        path: The table; it may have more columns.
        golden_path: What it should hold.

    Returns:
        The largest difference of two numbers.

    Raises:
        VerificationError: If it is of other genes, lacks a column, or differs by more than
            `TOLERANCE`, of numbers above 1 by more than that share of them.
    """
    import pandas as pd

    table, golden = pd.read_csv(path), pd.read_csv(golden_path)
    known, received = (list(map(str, frame.columns)) for frame in (golden, table))
    if missing := [name for name in known if name not in received]:
        raise VerificationError(
            f"Expected the columns {', '.join(known)}. Received: {path}, without "
            f"{', '.join(missing)}"
        )
    if list(table["gene_id"]) != list(golden["gene_id"]):
        raise VerificationError(
            f"Expected {len(golden)} genes from {golden['gene_id'][0]}. Received: {path}: "
            f"{len(table)} genes, or in another order"
        )
    largest = 0.0
    for column in known[1:]:
        difference = np.abs(table[column].to_numpy(float) - golden[column].to_numpy(float))
        # Also what is not a number is wrong.
        allowed = TOLERANCE * np.maximum(1, np.abs(golden[column].to_numpy(float)))
        if (wrong := ~(difference <= allowed)).any():
            row = int(np.argmax(wrong))
            raise VerificationError(
                f"Expected {column}={golden[column][row]} of gene {golden['gene_id'][row]}. "
                f"Received: {table[column][row]}"
            )
        largest = max(largest, float(difference.max()))
    return largest


def _gene_ids(num_genes: int) -> list[str]:
    return [f"GENE{gene:02}" for gene in range(num_genes)]


def _read_sidecar(model_dir: str | Path) -> dict[str, Any]:
    path = Path(model_dir) / _SIDECAR_FILE
    try:
        details: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"Expected a model that python -m export wrote. Received: {path} ({error})"
        ) from error
    return details
