import gzip
from pathlib import Path

import pytest

from tfds_remc.remc.epigenomes import EPIGENOMES


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
