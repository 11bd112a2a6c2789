import json
from pathlib import Path

import load
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.serving]
QUICK = ["--variant", "cnn_attn", "--seconds", "0.1", "--rounds", "1", "--requests", "1500"]


def test_every_case_has_its_row_and_every_answer_is_compared(tmp_path: Path) -> None:
    load.main([*QUICK, "--out", str(tmp_path / "load.md")])
    results = json.loads((tmp_path / "load.json").read_text())
    cases = [(row["signature"], row["num_clients"], row["num_genes"]) for row in results["load"]]
    assert cases == [
        (signature, clients, genes)
        for signature in ("predict", "serving_default")
        for clients in (1, 8, 64)
        for genes in (1, 64)
    ]
    for row in results["load"]:
        assert row["genes_per_second"] > 0
        assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    answers = results["answers"]
    assert (answers["answers"], answers["wrong"]) == (1500, 0)
    assert set(answers["memory_mb"]) == {"1000", "1500"}
    assert set(results["cold_start"]) == {"with", "without"}
    text = (tmp_path / "load.md").read_text()
    assert text.count("| predict |") == 6
    assert "1,500" in text


def test_a_wrong_answer_would_be_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(load, "TOLERANCE", -1.0)
    models_dir = load.make_model(tmp_path, "cnn_attn")
    assert load.check_answers(models_dir, 20, num_clients=2)["wrong"] == 20
