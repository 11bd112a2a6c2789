import gzip
from pathlib import Path

import pytest

from tfds_remc.remc.epigenomes import EPIGENOMES, canonical_mark, spelling_warnings


@pytest.mark.real_data
def test_the_epigenomes_are_those_of_the_rpkm_table(real_data: Path) -> None:
    with gzip.open(real_data / "remc" / "57epigenomes.RPKM.pc.gz", "rt") as lines:
        header = lines.readline().split()
    assert list(EPIGENOMES) == header[1:]


def test_the_three_cell_types_of_table_3() -> None:
    names = {eid: EPIGENOMES[eid].name for eid in ("E003", "E116", "E123")}
    assert names == {
        "E003": "H1 Cells",
        "E116": "GM12878 Lymphoblastoid Cells",
        "E123": "K562 Leukemia Cells",
    }


def test_h3k27ac_was_not_observed_in_eight_of_56() -> None:
    assert len(EPIGENOMES) == 56
    assert [eid for eid, epigenome in EPIGENOMES.items() if not epigenome.has_h3k27ac] == [
        "E024",
        "E027",
        "E028",
        "E053",
        "E054",
        "E057",
        "E070",
        "E082",
    ]


def test_spelling_of_marks() -> None:
    written = ["H3K4Me3", "h3k27AC", "H2Ak5ac", "h2bk120ub1", "H4R3ME2s", "H3S10PH", "h1k26me2"]
    usual = ["H3K4me3", "H3K27ac", "H2AK5ac", "H2BK120ub1", "H4R3me2s", "H3S10ph", "H1K26me2"]
    assert [canonical_mark(mark) for mark in written + usual] == usual * 2
    for mark in ("H2A.Z", "h2a.z", "CTCF", "dnase", "H3K9/14ac", "H3K4me3_rep1", "H3K4", "POLR2A"):
        assert canonical_mark(mark) == mark
    assert list(spelling_warnings(["CTCF", "H3K4Me3"], "s.csv")) == [
        "s.csv: H3K4Me3 is taken for H3K4me3"
    ]
