import gzip
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pysam
from harness import Outcome, check, damaged, fuzz

from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.reads import read_signal

BINS = RegionBins(np.array(["chr1", "chr2"]), np.array([0, 1000]), num_bins=10)


def write(path: Path, num_reads: int) -> Path:
    header = pysam.AlignmentHeader.from_references(["chr1", "chr2"], [100_000, 100_000])
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for number in range(num_reads):
            read = pysam.AlignedSegment(header)
            read.query_name, read.query_sequence = f"read{number}", "ACGT" * 9
            read.reference_id, read.reference_start = number % 2, 7 * number
            read.cigarstring, read.mapping_quality = "30M5D6M", number % 60
            bam.write(read)
    return path


def read(path: Path) -> object:
    return read_signal(path, BINS)


def whole() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder, "a.bam"), 200).read_bytes()


def block(content: bytes) -> bytes:
    """A block of BGZF, whose checksum is right."""
    packed = zlib.compress(content, wbits=-15)
    head = bytes.fromhex("1f8b08040000000000ff060042430200")
    size = struct.pack("<H", len(head) + 2 + len(packed) + 8 - 1)
    return head + size + packed + struct.pack("<II", zlib.crc32(content), len(content))


END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
WHOLE = whole()
UNPACKED = gzip.decompress(WHOLE)


@fuzz(damaged(WHOLE) | damaged(UNPACKED).map(lambda c: block(c[:60000]) + END), examples=40)
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.bam"
    path.write_bytes(content)
    return check(read, path)
