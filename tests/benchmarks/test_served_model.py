import sys

import pytest


@pytest.mark.slow
@pytest.mark.serving
def test_every_way_of_asking_has_its_row(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import served_model

    options = ["--model", "lstm", "--genes", "3", "--clients", "2", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["served_model.py", *options])
    served_model.main()
    title, _, *rows = capfd.readouterr().out.splitlines()
    assert title.startswith("lstm, ")
    assert "after the start of the server" in title
    asked = [(row[:16].strip(), row[17:22].strip(), row[23:39].strip()) for row in rows]
    once = [("1", "in this process"), ("1", "gRPC, 1 client"), ("3", "in this process")]
    ways = [*once, ("3", "gRPC, 1 client"), ("3", "gRPC, 2 clients")]
    assert asked == [(name, *way) for name in ("predict", "serving_default") for way in ways]
    assert all(row.endswith("100%") for row in rows if "in this process" in row)
