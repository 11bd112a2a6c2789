import functools
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from tfds_remc.remc import sources
from tfds_remc.remc.sources import SourceNotFoundError, find_sources, fingerprint


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
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_manual_dir_goes_first(
    download_manager: tfds.download.DownloadManager, manual_dir: Path
) -> None:
    found = find_sources(download_manager, manual_dir, "E003")
    assert found == sources.Sources(
        published=manual_dir / "data.tar.gz",
        rpkm_table=manual_dir / "57epigenomes.RPKM.pc.gz",
        gene_table=manual_dir / "genes.tsv",
    )


def test_an_unpacked_folder_goes_before_the_archive(
    download_manager: tfds.download.DownloadManager, manual_dir: Path
) -> None:
    folder = manual_dir / "some" / "where" / "E003"
    (folder / "classification").mkdir(parents=True)
    (folder / "classification" / "train.csv").touch()
    assert find_sources(download_manager, manual_dir, "E003").published == folder
    assert find_sources(download_manager, manual_dir, "E004").published.name == "data.tar.gz"


def test_what_is_not_in_manual_dir_is_downloaded_once(
    download_manager: tfds.download.DownloadManager,
    manual_dir: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {sources.ARCHIVE: "data.tar.gz", sources.RPKM_TABLE: sources.RPKM_TABLE}
    urls = {name: f"{host}/{file}" for name, file in names.items()}
    monkeypatch.setattr(sources, "URLS", urls | {sources.GENE_INFO: f"{host}/genes.tsv"})
    found = find_sources(download_manager, None, "E003")
    assert found.published.read_bytes() == (manual_dir / "data.tar.gz").read_bytes()
    assert found.gene_table.read_bytes() == (manual_dir / "genes.tsv").read_bytes()

    for file in manual_dir.iterdir():
        file.unlink()
    assert find_sources(download_manager, None, "E003") == found


def test_a_host_that_refuses_the_file(
    download_manager: tfds.download.DownloadManager,
    manual_dir: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (manual_dir / "data.tar.gz").unlink()
    monkeypatch.setitem(sources.URLS, sources.ARCHIVE, f"{host}/data.tar.gz")
    with pytest.raises(SourceNotFoundError, match=rf"{host}/data\.tar\.gz\. Received: HTTP .* 404"):
        find_sources(download_manager, manual_dir, "E003")


def test_a_host_that_is_silent_is_given_up_on(
    download_manager: tfds.download.DownloadManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data.tar.gz"
        monkeypatch.setitem(sources.URLS, sources.ARCHIVE, url)
        monkeypatch.setattr(sources, "_PROBE_TIMEOUT_S", 0.3)
        start = time.monotonic()
        with pytest.raises(SourceNotFoundError) as raised:
            find_sources(download_manager, None, "E003")
        assert time.monotonic() - start < 5
    assert f"Expected data.tar.gz in manual_dir or at {url}" in str(raised.value)
    assert "Put data.tar.gz, 57epigenomes.RPKM.pc.gz, genes.tsv" in str(raised.value)
    assert "--manual_dir" in str(raised.value)


def test_a_name_server_that_is_silent_is_given_up_on(
    download_manager: tfds.download.DownloadManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asleep.wait(10) and [])
    monkeypatch.setattr(sources, "_PROBE_TIMEOUT_S", 0.3)
    start = time.monotonic()
    with pytest.raises(SourceNotFoundError, match=r"Received: no answer in 0\.3 s"):
        find_sources(download_manager, None, "E003")
    assert time.monotonic() - start < 5
    asleep.set()


def test_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert fingerprint(tmp_path / "file") == {
        "bytes": 3,
        "md5": "900150983cd24fb0d6963f7d28e17f72",
    }
