from collections.abc import Iterator
from pathlib import Path

from harness import Outcome, check, damaged_text, fuzz

from tfds_remc.remc.bed import BedLayout, read_bed

TAG_ALIGN = b"""# reads
chr1\t100\t136\tN\t1000\t+
chr1\t90\t126\tN\t1000\t-
chrX\t5\t41\tN\t37\t+
"""
NARROW_PEAK = b"""chr1\t100\t400\tpeak_1\t900\t.\t12.5\t9.1\t7.0\t80
chr1\t900\t1400\tpeak_2\t100\t.\t-1\t-1\t-1\t-1
2\t7\t40\tpeak_3\t20\t.\t3e1\t2\t1\t5
"""


def read_tag_align(path: Path) -> Iterator[object]:
    return read_bed(path, BedLayout(strand_column=5))


def read_narrow_peak(path: Path) -> Iterator[object]:
    return read_bed(path, BedLayout(value_column=6, max_columns=10))


@fuzz(damaged_text(TAG_ALIGN))
def test_any_damage_of_reads(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.tagAlign"
    path.write_bytes(content)
    return check(read_tag_align, path)


@fuzz(damaged_text(NARROW_PEAK))
def test_any_damage_of_peaks(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.narrowPeak"
    path.write_bytes(content)
    return check(read_narrow_peak, path)
