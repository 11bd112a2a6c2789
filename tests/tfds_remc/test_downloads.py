import dataclasses
import gzip
import hashlib
import http.server
import io
import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tfds_remc.remc import downloads
from tfds_remc.remc.downloads import (
    DiskSpaceError,
    DownloadError,
    RemoteFile,
    ask,
    download,
    num_missing_bytes,
    require_space,
)
from tfds_remc.remc.file_types import gzip_fault

CONTENT = gzip.compress(os.urandom(200_000), compresslevel=0)
CONTENT_OF_SAME_SIZE = gzip.compress(os.urandom(200_000), compresslevel=0)
OTHER_CONTENT = gzip.compress(os.urandom(150_000), compresslevel=0)


def etag_of(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


@dataclasses.dataclass
class Host:
    """A server of one file, and what it was asked.

    Attributes:
        content: The file.
        headers: Sent with it.
        cuts: How many bytes each of the next bodies holds before the connection breaks.
        statuses: Status of each of the next answers.
        knows_ranges: Whether it answers to Range.
        knows_if_range: Whether it answers to If-Range.
        says_length: Whether it sends Content-Length.
        ranges: The Range header of each request, "" where there was none.
        encodings: What the requests accepted.
    """

    url: str = ""
    content: bytes = CONTENT
    headers: dict[str, str] = dataclasses.field(
        default_factory=lambda: {"ETag": etag_of(CONTENT), "Last-Modified": "Sat, 01 Mar 2014"}
    )
    cuts: list[int] = dataclasses.field(default_factory=list)
    statuses: list[int] = dataclasses.field(default_factory=list)
    knows_ranges: bool = True
    knows_if_range: bool = True
    says_length: bool = True
    ranges: list[str] = dataclasses.field(default_factory=list)
    encodings: set[str] = dataclasses.field(default_factory=set)

    def change(self) -> None:
        self.content = OTHER_CONTENT
        self.headers |= {"ETag": etag_of(OTHER_CONTENT), "Last-Modified": "Sun, 02 Mar 2014"}

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range", "")
        self.ranges.append(wanted)
        self.encodings.add(handler.headers["Accept-Encoding"])
        if status := self.statuses.pop(0) if self.statuses else 0:
            handler.send_response(status)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        condition = handler.headers.get("If-Range")
        is_same = not self.knows_if_range or condition in self.headers.values()
        start = int(wanted[len("bytes=") : -1]) if wanted and self.knows_ranges and is_same else 0
        rest = self.content[start:]
        # Before the headers: with them, the next request may come.
        body = rest[: self.cuts.pop(0)] if self.cuts else rest
        handler.send_response(206 if start else 200)
        if start:
            size = len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if self.says_length:
            handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(downloads, "_ANSWER_WAITS_S", (0.01, 0.01))
    monkeypatch.setattr(downloads, "_DOWNLOAD_WAITS_S", (0.01, 0.01))
    host = Host()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                host.answer(self)
            except ConnectionError:  # `ask` closes without reading.
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        host.url = f"http://127.0.0.1:{server.server_port}/E003-H3K4me3.tagAlign.gz"
        yield host
        server.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "E003-H3K4me3.tagAlign.gz"


def fetch(host: Host, path: Path) -> None:
    """Downloads the file, and forgets what `ask` asked for."""
    remote = ask(host.url)
    host.ranges.clear()
    download(remote, path, gzip_fault)


def interrupt(host: Host, path: Path, num_bytes: int = 120_000) -> Path:
    """Downloads the first bytes; returns the part."""
    remote = ask(host.url)
    num_tries = 1 + len(downloads._DOWNLOAD_WAITS_S)
    # The host breaks off, and then, asked to go on, does so before the next byte.
    host.cuts = [num_bytes] + [0] * num_tries
    with pytest.raises(DownloadError, match=f"broke off at {num_bytes:,} bytes"):
        download(remote, path, gzip_fault)
    host.cuts.clear()
    assert not path.exists()
    part = path.with_name(f"{path.name}.part")
    assert part.stat().st_size == num_bytes
    return part


def test_what_a_server_says_of_a_file(host: Host) -> None:
    remote = ask(host.url)
    assert remote == RemoteFile(host.url, len(CONTENT), etag_of(CONTENT), "Sat, 01 Mar 2014")
    assert remote.validator == etag_of(CONTENT)


@pytest.mark.parametrize(
    ("etag", "date", "validator"),
    [('"a"', "d", '"a"'), ('W/"a"', "d", "d"), ("", "d", "d"), ('W/"a"', "", ""), ("", "", "")],
)
def test_only_a_strong_validator_makes_a_file_resumable(
    etag: str, date: str, validator: str
) -> None:
    remote = RemoteFile("url", 1, etag, date)
    assert remote.validator == validator
    assert remote.is_resumable == bool(validator)
    assert not dataclasses.replace(remote, num_bytes=None).is_resumable


def test_nothing_but_the_file_is_left(host: Host, path: Path) -> None:
    fetch(host, path)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert host.ranges == [""]


def test_a_packed_answer_is_not_unpacked(host: Host, path: Path) -> None:
    host.headers["Content-Encoding"] = "x-gzip"  # As Apache sends it for any name in .gz.
    fetch(host, path)
    assert path.read_bytes() == CONTENT
    assert host.encodings == {"identity"}


def test_a_cut_connection_is_taken_up_at_once(host: Host, path: Path) -> None:
    host.cuts = [len(CONTENT), 1000, 50_000, 0, 7, 0]
    fetch(host, path)
    assert path.read_bytes() == CONTENT
    # A failure without a new byte is forgiven, and forgotten at the next byte.
    offsets = [1000, 51_000, 51_000, 51_007, 51_007]
    assert host.ranges == ["", *(f"bytes={offset}-" for offset in offsets)]


def test_a_later_run_goes_on_where_the_first_ended(host: Host, path: Path) -> None:
    interrupt(host, path)
    assert num_missing_bytes(ask(host.url), path) == len(CONTENT) - 120_000
    fetch(host, path)
    assert host.ranges == ["bytes=120000-"]
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_a_date_will_do_to_go_on(host: Host, path: Path) -> None:
    del host.headers["ETag"]
    interrupt(host, path)
    fetch(host, path)
    assert host.ranges == ["bytes=120000-"]
    assert path.read_bytes() == CONTENT


def test_a_part_that_only_lacks_its_name_is_not_fetched_again(host: Host, path: Path) -> None:
    interrupt(host, path).write_bytes(CONTENT)
    fetch(host, path)
    assert host.ranges == []
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("knows_if_range", [True, False])
def test_a_file_that_changed_between_two_runs(host: Host, path: Path, knows_if_range: bool) -> None:
    host.knows_if_range = knows_if_range
    interrupt(host, path)
    host.change()
    assert num_missing_bytes(ask(host.url), path) == len(OTHER_CONTENT)
    fetch(host, path)
    assert host.ranges == [""]
    assert path.read_bytes() == OTHER_CONTENT


def test_a_file_that_changes_during_a_run(host: Host, path: Path) -> None:
    interrupt(host, path)
    remote = ask(host.url)
    host.change()
    host.ranges.clear()
    download(remote, path, gzip_fault)
    assert host.ranges == ["bytes=120000-"]
    assert path.read_bytes() == OTHER_CONTENT


@pytest.mark.parametrize("trace", ["ETag", "Last-Modified", "size"])
def test_the_rest_of_another_version_is_not_taken(host: Host, path: Path, trace: str) -> None:
    host.knows_if_range = False
    interrupt(host, path)
    remote = ask(host.url)
    host.content = OTHER_CONTENT if trace == "size" else CONTENT_OF_SAME_SIZE
    if trace in host.headers:
        host.headers[trace] = "another"
    host.ranges.clear()
    download(remote, path, gzip_fault)
    assert host.ranges == ["bytes=120000-", ""]
    assert path.read_bytes() == host.content


def test_a_rest_without_length_that_is_cut(host: Host, path: Path) -> None:
    interrupt(host, path)
    remote = ask(host.url)
    host.says_length, host.cuts = False, [50_000]
    host.ranges.clear()
    download(remote, path, gzip_fault)
    assert host.ranges == ["bytes=120000-", "bytes=170000-"]
    assert path.read_bytes() == CONTENT


def test_a_host_without_ranges_starts_anew(host: Host, path: Path) -> None:
    host.knows_ranges = False
    host.cuts = [len(CONTENT), 120_000]
    fetch(host, path)
    assert host.ranges == ["", "bytes=120000-"]
    assert path.read_bytes() == CONTENT


def test_an_answer_that_is_longer_than_announced_is_not_kept(host: Host, path: Path) -> None:
    part = interrupt(host, path)
    part.write_bytes(CONTENT + b"more")
    fetch(host, path)
    assert host.ranges == [""]
    assert path.read_bytes() == CONTENT


def test_a_host_without_ranges_is_not_asked_forever(host: Host, path: Path) -> None:
    host.knows_ranges = False
    remote = ask(host.url)
    host.cuts = [120_000] * 9
    with pytest.raises(DownloadError, match="broke off at 120,000 bytes"):
        download(remote, path, gzip_fault)


def test_a_host_that_names_no_version_is_asked_for_all_of_it(host: Host, path: Path) -> None:
    host.headers.clear()
    host.cuts = [len(CONTENT), 120_000]
    fetch(host, path)
    assert host.ranges == ["", ""]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("note", ["", "{", "[]", '{"url": 1}'])
def test_a_part_whose_note_is_damaged_is_not_trusted(host: Host, path: Path, note: str) -> None:
    part = interrupt(host, path)
    part.with_name(f"{part.name}.json").write_text(note)
    fetch(host, path)
    assert host.ranges == [""]
    assert path.read_bytes() == CONTENT


def test_a_host_that_says_no_length(host: Host, path: Path) -> None:
    host.says_length = False
    fetch(host, path)
    assert path.read_bytes() == CONTENT


def test_a_busy_host_is_asked_again(host: Host, path: Path) -> None:
    host.statuses = [503, 429, 0, 502]
    download(ask(host.url), path, gzip_fault)
    assert path.read_bytes() == CONTENT
    host.statuses = [503] * 3
    with pytest.raises(DownloadError, match="Received: HTTP status 503") as raised:
        ask(host.url)
    assert not raised.value.is_unreachable


def test_a_file_that_is_not_there_is_asked_for_once(host: Host) -> None:
    host.statuses = [404] * 2
    with pytest.raises(DownloadError, match=re.escape(f"{host.url}. Received: HTTP status 404.")):
        ask(host.url)
    assert len(host.ranges) == 1


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_that_is_truncated_on_the_server(host: Host, path: Path, says_length: bool) -> None:
    host.content, host.says_length = CONTENT[:-30_000], says_length
    with pytest.raises(DownloadError, match=r"damaged gzip \(.*\), of 170,\d+ bytes"):
        fetch(host, path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.timeout(120)
def test_a_closed_port_is_given_up_on_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DownloadError, match="no connection") as raised:
        ask(f"http://127.0.0.1:{port}/file")
    assert raised.value.is_unreachable


def test_the_longest_silence_that_is_waited_for() -> None:
    assert downloads._ANSWER_TIMEOUT_S < 20


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_asleep", ["host", "name server"])
def test_silence_is_given_up_on_in_time(is_asleep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_ANSWER_TIMEOUT_S", 0.3)
    wake_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if is_asleep == "name server":
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: wake_up.wait(120) and [])
        with pytest.raises(DownloadError, match=r"no answer in 0\.3 s") as raised:
            ask(f"http://127.0.0.1:{silent.getsockname()[1]}/file")
    wake_up.set()
    assert raised.value.is_unreachable


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000))
    require_space(tmp_path, 2_000_000)
    with pytest.raises(DiskSpaceError, match=r"Expected 3\.50GB .* Received: 2\.00MB free in"):
        require_space(tmp_path, 3_500_000_000)


def test_one_line_a_file_where_there_is_no_terminal(
    host: Host, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(host, path)
    capsys.readouterr()
    fetch(host, path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"Downloading {host.url} (200kB, 120kB of it here already)\n"


def test_a_bar_on_a_terminal(host: Host, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(host, path)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch(host, path)
    lines = terminal.getvalue().split("\r")
    assert lines[1].startswith("E003-H3K4me3.tagAlign.gz:  60%|")
    assert lines[-1].startswith("E003-H3K4me3.tagAlign.gz: 100%|")
    assert lines[-1].count("\n") == 1
