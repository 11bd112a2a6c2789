"""Served models that tell expression: asked by each client, and what becomes of their answers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from serving.client import main
from serving.csv_genes import CSV_MARKS
from serving.description import ModelDescription
from serving.errors import InputError
from serving.local import LocalServer
from serving.predictions import Prediction, Saliency, join, to_xarray

DETAILS = {"task": "regression", "unit": "TPM", "scale": "log2(TPM + 1)"}
DESCRIPTION = ModelDescription("tpm", 1, ("x", "y"), 2, {**DETAILS, "bin_bp": 100, "flank_bp": 100})


@pytest.fixture(scope="module")
def tpm_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from made_models import save_describing

    folder = tmp_path_factory.mktemp("models")
    save_describing(folder / "tpm/1", CSV_MARKS, 8, **DETAILS)
    save_describing(folder / "both/1", CSV_MARKS, 8, members=2, **DETAILS)
    return folder


@pytest.fixture(scope="module")
def tpm_server(tpm_dir: Path) -> Iterator[LocalServer]:
    with LocalServer(tpm_dir, rest_port=0) as server:
        yield server


def test_every_client_tells_expression(
    open_client: Callable[..., Any], tpm_server: LocalServer, signal: np.ndarray
) -> None:
    expected = signal.mean(axis=(1, 2))
    with open_client("both", at=tpm_server) as client:
        assert (client.description.output, client.description.scale) == (
            *("expression", "log2(TPM + 1)"),
        )
        prediction = client.predict(signal, marks=CSV_MARKS)
        alone = client.predict(signal, marks=CSV_MARKS, attention=False)
    np.testing.assert_allclose(prediction.expression, expected, rtol=1e-6)
    np.testing.assert_allclose(alone.expression, expected, rtol=1e-6)
    np.testing.assert_allclose(prediction.answer_sd, 0.1)
    assert alone.answer_sd is None
    with pytest.raises(InputError, match=r"tells probability. Received: one that tells expression"):
        _ = prediction.probability


def test_the_command_writes_the_column(
    tpm_server: LocalServer, signal: np.ndarray, csv_text: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "genes.csv").write_text(csv_text(signal))
    for flag, address in (("--target", tpm_server.target), ("--rest", tpm_server.rest_url)):
        out = tmp_path / f"out{flag}.csv"
        options = f"{flag} {address} --model both --csv {tmp_path}/genes.csv --out {out}"
        assert main(options.split()) == 0
        table = pd.read_csv(out)
        assert table.columns[:3].tolist() == ["gene_id", "expression", "expression_sd"]
        np.testing.assert_allclose(table["expression"], signal.mean(axis=(1, 2)), rtol=1e-5)


def test_results_are_joined_and_written_with_their_unit() -> None:
    expression, alpha = np.array([3.5, 0.25], np.float32), np.ones((2, 2, 2), np.float32)
    one = Prediction(expression, alpha, contribution=alpha, output="expression")
    both = join([one, one])
    assert both.output == "expression"
    assert both.expression.tolist() == [3.5, 0.25, 3.5, 0.25]
    saliency = Saliency(alpha, expression, output="expression")
    np.testing.assert_array_equal(saliency.expression, expression)
    dataset = to_xarray(DESCRIPTION, one._replace(answer_sd=expression), saliency)
    assert dataset["expression"].attrs == {
        "units": "log2(TPM + 1)",
        "long_name": "predicted expression",
    }
    assert dataset["expression_sd"].attrs["units"] == "log2(TPM + 1)"
    assert dataset["contribution"].attrs["long_name"] == (
        "contribution to the predicted expression, beyond that of an empty region"
    )
    assert dataset["gradient"].attrs["long_name"].startswith("gradient of the predicted expression")
    assert (dataset.attrs["task"], dataset.attrs["scale"]) == ("regression", "log2(TPM + 1)")
    assert "probability_of" not in dataset.attrs
    assert not {"answer", "probability"} & set(dataset.variables)
