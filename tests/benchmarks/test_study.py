"""What many trainings cost, from what few do."""

import re

from study import section

MEASURED = {
    "rows": [
        # 10 s once, 2 s an epoch; in the bank 40 s once, a round of two 4 s and 3 s an epoch.
        {
            "model": "lstm",
            "epochs": 30,
            "alone_s": [12.0, 16.0],
            "bank_s": [47.0, 53.0],
            "two_rounds_s": 54.0,
        },
        {"model": "deep_chrome", "epochs": 10, "alone_s": [6.0, 8.0]},
    ],
    "epigenomes": 36,
    "seeds": 10,
    "cores": (4,),
    "cores_here": 2,
    "bank": 2,
    "recipe": "default",
    "date": "2026-01-01",
    "cpu": "a CPU",
    "versions": {"keras": "3"},
    "command": "python benchmarks/study.py",
}


def test_a_study_costs_its_trainings() -> None:
    text = section(MEASURED)
    cells = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if "|" in line]
    rows = {cell[0]: cell[1:] for cell in cells}
    # Once, an epoch, epochs, alone, in the bank (4 + 30 * 3) / 2, and 360 of them alone.
    assert rows["`lstm`"] == ["10.0", "2.00", "30", "70", "47", "7.0"]
    assert rows["`deep_chrome`"] == ["5.0", "1.00", "10", "15", "", "1.5"]
    assert rows["2 cores, this machine"] == ["8.5", "6.2"]
    assert rows["4 cores"] == ["4.2", "3.1"]
    assert "720 trainings" in text
