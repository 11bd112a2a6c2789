import dataclasses
import functools
import gzip
import http.server
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow_datasets as tfds

from tfds_remc.remc import downloads, find_files
from tfds_remc.remc.downloads import DiskSpaceError
from tfds_remc.remc.find_files import (
    SIGNAL_FILES,
    AmbiguousFileError,
    MissingFileError,
    find_published_files,
    find_signal_files,
    fingerprint,
)


@pytest.fixture
def download_manager(tmp_path: Path) -> tfds.download.DownloadManager:
    return tfds.download.DownloadManager(download_dir=tmp_path / "downloads", dataset_name="remc")


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host(manual_dir: Path) -> Iterator[str]:
    """Serves the files of `manual_dir` over HTTP."""
    handler = functools.partial(_QuietHandler, directory=str(manual_dir))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_manual_dir_goes_first(
    download_manager: tfds.download.DownloadManager, manual_dir: Path
) -> None:
    found = find_published_files(download_manager, manual_dir, "E003")
    assert found == find_files.PublishedFiles(
        archive=manual_dir / "data.tar.gz",
        rpkm_table=manual_dir / "57epigenomes.RPKM.pc.gz",
        gene_table=manual_dir / "genes.tsv",
    )


def test_an_unpacked_folder_goes_before_the_archive(
    download_manager: tfds.download.DownloadManager, manual_dir: Path
) -> None:
    folder = manual_dir / "some" / "where" / "E003"
    (folder / "classification").mkdir(parents=True)
    (folder / "classification" / "train.csv").touch()
    assert find_published_files(download_manager, manual_dir, "E003").archive == folder
    assert find_published_files(download_manager, manual_dir, "E004").archive.name == "data.tar.gz"


def test_what_is_not_in_manual_dir_is_downloaded_once(
    download_manager: tfds.download.DownloadManager,
    manual_dir: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {find_files.ARCHIVE: "data.tar.gz", find_files.RPKM_TABLE: find_files.RPKM_TABLE}
    urls = {name: f"{host}/{file}" for name, file in names.items()}
    monkeypatch.setattr(find_files, "URLS", urls | {find_files.GENE_INFO: f"{host}/genes.tsv"})
    found = find_published_files(download_manager, None, "E003")
    assert found.archive.read_bytes() == (manual_dir / "data.tar.gz").read_bytes()
    assert found.gene_table.read_bytes() == (manual_dir / "genes.tsv").read_bytes()

    for file in manual_dir.iterdir():
        file.unlink()
    assert find_published_files(download_manager, None, "E003") == found


def test_a_host_that_refuses_the_file(
    download_manager: tfds.download.DownloadManager,
    manual_dir: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (manual_dir / "data.tar.gz").unlink()
    monkeypatch.setitem(find_files.URLS, find_files.ARCHIVE, f"{host}/data.tar.gz")
    with pytest.raises(MissingFileError, match=rf"{host}/data\.tar\.gz\. Received: HTTP .* 404"):
        find_published_files(download_manager, manual_dir, "E003")


@pytest.mark.timeout(120)
def test_a_host_that_is_silent_is_given_up_on(
    download_manager: tfds.download.DownloadManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data.tar.gz"
        monkeypatch.setitem(find_files.URLS, find_files.ARCHIVE, url)
        monkeypatch.setattr(downloads, "_ANSWER_TIMEOUT_S", 0.3)
        with pytest.raises(MissingFileError) as raised:
            find_published_files(download_manager, None, "E003")
    assert f"Expected data.tar.gz in manual_dir or at {url}" in str(raised.value)
    assert "Put data.tar.gz, 57epigenomes.RPKM.pc.gz, genes.tsv" in str(raised.value)
    assert "--manual_dir" in str(raised.value)


def test_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert fingerprint(tmp_path / "file") == {
        "bytes": 3,
        "md5": "900150983cd24fb0d6963f7d28e17f72",
    }


TWO_MARKS = ("H3K4me1", "H3K4me3")


@pytest.fixture
def signal_host(
    host: str, manual_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder that the host serves, with the reads of two marks of E003."""
    files = dataclasses.replace(SIGNAL_FILES["alignments"], folder_url=host)
    monkeypatch.setitem(SIGNAL_FILES, "alignments", files)
    for mark in TWO_MARKS:
        text = f"chr1\t0\t36\t{mark}\t1\t+\n"
        (manual_dir / f"E003-{mark}.tagAlign.gz").write_bytes(gzip.compress(text.encode()))
    return manual_dir


def test_roadmaps_addresses() -> None:
    root = "https://egg2.wustl.edu/roadmap/data/byFileType"
    tracks = f"{root}/signal/consolidated/macs2signal"
    assert {
        kind: f"{files.folder_url}/E003-H3K4me3.{files.suffix}"
        for kind, files in SIGNAL_FILES.items()
    } == {
        "alignments": f"{root}/alignments/consolidated/E003-H3K4me3.tagAlign.gz",
        "fold_change": f"{tracks}/foldChange/E003-H3K4me3.fc.signal.bigwig",
        "p_value": f"{tracks}/pval/E003-H3K4me3.pval.signal.bigwig",
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("alignments", "E003-H3K4me3.tagAlign.gz"),
        ("alignments", "E003-H3K4me3.tagAlign"),
        ("fold_change", "E003-H3K4me3.fc.signal.bigwig"),
        ("p_value", "E003-H3K4me3.pval.signal.bigwig"),
    ],
)
@pytest.mark.parametrize("folder", [".", "E003", "any name"])
def test_signal_files_in_manual_dir_are_not_asked_for(
    kind: str, name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_files, "ask", pytest.fail)
    path = tmp_path / "manual" / folder / name
    path.parent.mkdir(parents=True)
    path.touch()
    found = find_signal_files(
        kind,
        "E003",
        ["H3K4me3"],
        manual_dir=tmp_path / "manual",
        download_dir=tmp_path / "downloads",
    )
    assert found == {"H3K4me3": path}
    assert not (tmp_path / "downloads").exists()


def test_a_signal_file_in_two_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "E003-H3K4me3.tagAlign.gz").touch()
    with pytest.raises(AmbiguousFileError, match=r"Received: .*/a/E003-.*, .*/b/E003-.* Keep"):
        find_signal_files(
            "alignments", "E003", ["H3K4me3"], manual_dir=tmp_path, download_dir=tmp_path
        )


def test_signal_files_are_downloaded_once(signal_host: Path, tmp_path: Path) -> None:
    manual_dir, download_dir = tmp_path / "by hand", tmp_path / "new" / "downloads"
    manual_dir.mkdir()
    by_hand = manual_dir / "E003-H3K4me1.tagAlign"
    by_hand.touch()

    def find() -> dict[str, Path]:
        return find_signal_files(
            "alignments",
            "E003",
            TWO_MARKS[::-1],
            manual_dir=manual_dir,
            download_dir=download_dir,
        )

    name = "E003-H3K4me3.tagAlign.gz"
    found = find()
    assert list(found.items()) == [("H3K4me3", download_dir / name), ("H3K4me1", by_hand)]
    assert (download_dir / name).read_bytes() == (signal_host / name).read_bytes()
    (signal_host / name).unlink()
    assert find() == found


def test_a_mark_that_the_host_lacks_is_noticed_before_any_download(
    signal_host: Path, host: str, tmp_path: Path
) -> None:
    download_dir = tmp_path / "downloads"
    with pytest.raises(MissingFileError) as raised:
        find_signal_files(
            "alignments",
            "E003",
            (*TWO_MARKS, "H3K27ac"),
            manual_dir=None,
            download_dir=download_dir,
        )
    assert str(raised.value) == (
        "Expected E003-H3K27ac.tagAlign.gz in manual_dir or at "
        f"{host}/E003-H3K27ac.tagAlign.gz. Received: HTTP status 404. Put "
        "E003-H3K27ac.tagAlign.gz into a folder and pass it as --manual_dir."
    )
    assert list(download_dir.iterdir()) == []


def test_a_damaged_signal_file_names_the_file_that_would_stand_in(
    signal_host: Path, tmp_path: Path
) -> None:
    path = signal_host / "E003-H3K4me3.tagAlign.gz"
    path.write_bytes(path.read_bytes()[:-3])
    expected = r"Received: damaged gzip .* Put E003-H3K4me3\.tagAlign\.gz into"
    with pytest.raises(MissingFileError, match=expected):
        find_signal_files(
            "alignments", "E003", TWO_MARKS, manual_dir=None, download_dir=tmp_path / "downloads"
        )


@pytest.mark.timeout(120)
def test_all_signal_files_are_named_if_there_is_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(downloads, "_ANSWER_WAITS_S", ())
    files = dataclasses.replace(SIGNAL_FILES["p_value"], folder_url=url)
    monkeypatch.setitem(SIGNAL_FILES, "p_value", files)
    names = [f"E003-{mark}.pval.signal.bigwig" for mark in TWO_MARKS]
    with pytest.raises(MissingFileError) as raised:
        find_signal_files("p_value", "E003", TWO_MARKS, manual_dir=None, download_dir=tmp_path)
    assert f"Expected {names[0]} in manual_dir or at {url}/{names[0]}. " in str(raised.value)
    assert f"Put {', '.join(names)} into" in str(raised.value)


def test_room_for_all_signal_files_is_asked_for_at_once(
    signal_host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [(signal_host / f"E003-{mark}.tagAlign.gz").stat().st_size for mark in TWO_MARKS]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=sum(sizes) - 1))
    download_dir = tmp_path / "downloads"
    with pytest.raises(DiskSpaceError, match="of free disk space for the downloads"):
        find_signal_files(
            "alignments", "E003", TWO_MARKS, manual_dir=None, download_dir=download_dir
        )
    assert list(download_dir.iterdir()) == []


def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"of alignments, fold_change, p_value\. Received: kind"):
        find_signal_files("bigwig", "E003", TWO_MARKS, manual_dir=None, download_dir=tmp_path)
