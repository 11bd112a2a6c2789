from pathlib import Path

import pytest

from tfds_remc.remc.samples import (
    Sample,
    SampleSheetError,
    missing_marks,
    read_sample_sheet,
    samples_of,
)

HEADER = "epigenome,mark,path,control\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my reads").mkdir()
    for name in ("my reads/K4me3 rep 1.bam", "ac.bam", "input.bam"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str | bytes, name: str = "sheet.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte-order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("comma", [b",", b"\t"], ids=["CSV", "TSV"])
def test_reads_samples_with_spaces_in_their_paths(
    folder: Path, mark: bytes, end: bytes, comma: bytes
) -> None:
    lines = [
        [b"epigenome", b"note", b"mark ", b"path", b"control"],
        [b"K562", b"x", b"H3K4me3", b"my reads/K4me3 rep 1.bam", b"input.bam"],
        [],
        [b"K562", b"", b"H3K27ac", b" ac.bam ", b""],
    ]
    sheet = write(folder, mark + end.join(comma.join(fields) for fields in lines))
    assert read_sample_sheet(sheet) == [
        Sample("K562", "H3K4me3", folder / "my reads/K4me3 rep 1.bam", folder / "input.bam"),
        Sample("K562", "H3K27ac", folder / "ac.bam"),
    ]


def test_what_a_file_holds_may_be_said(folder: Path) -> None:
    """Peaks and reads of ENCODE are named .bed.gz."""
    for name in ("peaks.bed.gz", "reads.bed.gz", "control.bed.gz", "input.BAM"):
        (folder / name).touch()
    sheet = write(
        folder,
        "epigenome,mark,path,file_type,control\n"
        "A,H3K27ac,peaks.bed.gz,narrowPeak,\n"
        "A,H3K4me1,ac.bam,,input.BAM\n"
        "A,H3K4me3,reads.bed.gz,.TAGALIGN,control.bed.gz\n"
        "A,H3K9me3,reads.bed.gz,tagAlign,input.BAM\n",
    )
    peaks, bam, reads, both = read_sample_sheet(sheet)
    assert (peaks.file.type(), peaks.control_file) == ("narrowPeak", None)
    assert (bam.file.type(), bam.file_type) == ("BAM", None)
    for sample, of_control in ((reads, "tagAlign"), (both, "BAM")):
        assert sample.file.type() == "tagAlign"
        assert sample.control_file is not None
        assert sample.control_file.type() == of_control
    match = r"one of tagAlign, BAM, .*broadPeak in sheet\.csv, line 2\. Received: file_type='bed'"
    with pytest.raises(SampleSheetError, match=match):
        read_sample_sheet(write(folder, sheet.read_text().replace("narrowPeak", "bed")))


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "elsewhere").mkdir()
    sheet = write(folder / "elsewhere", f"{HEADER}A,H3K27ac,~/ac.bam,~/my reads/../input.bam\n")
    control = folder / "my reads" / ".." / "input.bam"
    assert read_sample_sheet(sheet) == [Sample("A", "H3K27ac", folder / "ac.bam", control)]


def test_absolute_paths(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    sheet = write(folder / "elsewhere", f"epigenome,mark,path\nA,H3K27ac,{folder}/ac.bam\n")
    assert read_sample_sheet(sheet) == [Sample("A", "H3K27ac", folder / "ac.bam")]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"columns epigenome, mark, path.*Received: no epigenome, mark, path among none\."),
        ("cell,mark,file\n", r"Received: no epigenome, path among cell, mark, file\."),
        (HEADER, r"at least one sample in sheet\.csv\. Received: none"),
        (HEADER + "A,,ac.bam\n", r"Expected mark in sheet\.csv, line 2\. Received: nothing"),
        (
            HEADER + "A,H3K27ac,ac.bam\n\nA,H3K27ac,input.bam\n",
            r"Received: H3K27ac of A in lines 2 and 4\. Pool",
        ),
        (
            HEADER + "A,H3K27ac,ac.bam\nA,h3k27AC,input.bam\n",
            r"Received: H3K27ac of A in line 2 and h3k27AC in line 3\. Pool",
        ),
        (HEADER + "A,H3K27ac,ac.bam,,rep 1\n", r"4 fields in sheet\.csv, line 2\. Received: 5"),
        (HEADER + 'A,H3K27ac,"ac.bam\n,"\n', r"a quote that opens a field of sheet\.csv, line 2"),
        (HEADER + "A,H3K27ac,no.bam\n", r"a file in sheet\.csv, line 2\. Received: '.*no\.bam'"),
        (HEADER + "A,H3K27ac,ac.bam,no.bam\n", r"line 2\. Received: '.*no\.bam', no such file"),
        (b"\xff\xfe\x00", r"Expected a text file\. Received: sheet\.csv"),
    ],
)
def test_sheets_at_fault(folder: Path, text: str | bytes, match: str) -> None:
    with pytest.raises(SampleSheetError, match=match):
        read_sample_sheet(write(folder, text))


@pytest.mark.parametrize(
    "text",
    [
        "epigenome,mark,path,control,,\nA,H3K27ac,ac.bam,,,\n,,,,,\n,,,,,\n",
        "\n# by hand\nepigenome;mark;path\nA;H3K27ac;ac.bam\n\n \n\n",
        "epigenome\tmark\tpath\rA\tH3K27ac\tac.bam\r",
        '"epigenome","mark","path"\r\n"A", "H3K27ac", "ac.bam"\r\n',
        'epigenome\tmark\tpath\tnote\nA\tH3K27ac\tac.bam\t"stray\n',
    ],
    ids=["Excel's empty rows", "semicolons", "CR", "quotes", "stray quote"],
)
def test_sheets_that_people_have(folder: Path, text: str) -> None:
    assert read_sample_sheet(write(folder, text)) == [Sample("A", "H3K27ac", folder / "ac.bam")]


def test_marks_have_their_usual_spelling(folder: Path) -> None:
    written = ("H3K4Me3", "h3k27ac", "H3K4ME1", "H2AK5ac", "H2A.Z", "CTCF", "h4k20Me1", "H3K9me3-2")
    rows = "".join(f"A,{mark},ac.bam\n" for mark in written)
    samples = read_sample_sheet(write(folder, HEADER + rows))
    assert [sample.mark for sample in samples] == [
        *("H3K4me3", "H3K27ac", "H3K4me1", "H2AK5ac", "H2A.Z", "CTCF", "H4K20me1", "H3K9me3-2")
    ]
    assert [sample.written for sample in samples] == [*written]


def test_a_sheet_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SampleSheetError, match=r"Expected a sample sheet\. Received: '.*no\.csv'"):
        read_sample_sheet(tmp_path / "no.csv")


def test_one_epigenome_of_several() -> None:
    samples = [
        Sample("A", "H3K27ac", Path("a")),
        Sample("B", "H3K4me3", Path("b")),
        Sample("A", "H3K4me1", Path("c")),
    ]
    assert [sample.mark for sample in samples_of(samples, "A", "s.csv")] == ["H3K27ac", "H3K4me1"]
    assert samples_of(samples[1:2], "", "s.csv") == samples[1:2]
    for epigenome in ("", "C"):
        with pytest.raises(
            SampleSheetError,
            match=rf"an epigenome of s\.csv: A, B\. Received: epigenome='{epigenome}'",
        ):
            samples_of(samples, epigenome, "s.csv")
    assert missing_marks(samples, "A") == ["H3K4me3"]
    assert missing_marks(samples, "B") == ["H3K27ac", "H3K4me1"]
