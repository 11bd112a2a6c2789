"""Downloads large files over HTTP: resumable, checked, in place only when complete."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import requests
import urllib3
from tqdm import tqdm

from .errors import InputError

Result = TypeVar("Result")

# A user must know within 20 seconds that a host is not there.
_ANSWER_TIMEOUT_S = 15.0
_ANSWER_WAITS_S = (0.5, 1.0)
# Waits after failures in a row that brought nothing new.
_DOWNLOAD_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5.0, 30.0
_PASSING_STATUS = (408, 429, 500, 502, 503, 504)
_CHUNK_BYTES = 1 << 20


class DownloadError(InputError):
    """A file that its server does not give, or gives damaged.

    Attributes:
        reason: What was received instead of the file.
        is_unreachable: Whether there was no answer at all.
    """

    def __init__(self, url: str, reason: str, *, is_unreachable: bool = False) -> None:
        super().__init__(f"Expected a file at {url}. Received: {reason}.")
        self.reason = reason
        self.is_unreachable = is_unreachable


class DiskSpaceError(InputError):
    """A disk with too little room for the downloads."""


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """A file, as its server describes it.

    Attributes:
        url: Where it is.
        num_bytes: Its size; None if the server does not say.
        etag: The server's name of this version of the file; "" if there is none.
        last_modified: Its date, as the server writes it; "" if there is none.
    """

    url: str
    num_bytes: int | None
    etag: str
    last_modified: str

    @property
    def validator(self) -> str:
        """What tells this version from others byte for byte (RFC 9110, 13.1.5), or ""."""
        return self.last_modified if self.etag.startswith("W/") else self.etag or self.last_modified

    @property
    def is_resumable(self) -> bool:
        """Whether a part of the file can be told to be of this version."""
        return bool(self.validator) and self.num_bytes is not None


def ask(url: str) -> RemoteFile:
    """Returns the server's description of a file, without downloading it.

    Raises:
        DownloadError: If the server does not give the file, or does not answer. This takes 15
            seconds at most.
    """
    answer: Future[RemoteFile] = Future()

    def describe() -> RemoteFile:
        with _get(url) as response:
            return _described(url, response)

    def fill_in() -> None:
        try:
            answer.set_result(_persist(describe, url, _ANSWER_WAITS_S))
        except Exception as error:
            answer.set_exception(error)

    # In a thread, since the timeout of requests does not cover a silent name server.
    threading.Thread(target=fill_in, daemon=True).start()
    try:
        return answer.result(_ANSWER_TIMEOUT_S)
    except TimeoutError:
        reason = f"no answer in {_ANSWER_TIMEOUT_S:g} s"
        raise DownloadError(url, reason, is_unreachable=True) from None


def num_missing_bytes(remote: RemoteFile, path: Path) -> int:
    """Returns how much a download to `path` would add to the disk, 0 if that is unknown."""
    return (remote.num_bytes or 0) - _num_kept_bytes(remote, path)


def require_space(folder: Path, num_bytes: int) -> None:
    """Refuses a disk that cannot hold `num_bytes` more.

    Raises:
        DiskSpaceError: If it has less room.
    """
    num_free_bytes = shutil.disk_usage(folder).free
    if num_free_bytes < num_bytes:
        raise DiskSpaceError(
            f"Expected {_in_units(num_bytes)} of free disk space for the downloads. Received: "
            f"{_in_units(num_free_bytes)} free in {folder}. Make room, or choose another folder "
            "with --download_dir."
        )


def download(remote: RemoteFile, path: Path, find_fault: Callable[[Path], str]) -> None:
    """Downloads a file to `path`, from where an earlier try ended.

    Until it is complete it is `path` with ".part" added, and a note beside it (".part.json") says
    which version of the file that is a part of. It is continued only if the server still has that
    version. A broken connection is taken up again as long as that brings new bytes. Progress goes
    to standard error: a bar on a terminal, one line elsewhere.

    Args:
        remote: What `ask` returned.
        path: The file to write; its folder exists.
        find_fault: Returns what is wrong with the complete file, "" if nothing is.

    Raises:
        DownloadError: If the server does not give the file, or gives it damaged. What came is kept
            for the next try, unless it is damaged.
    """
    part, note = _partial(path)
    num_kept_bytes = _num_kept_bytes(remote, path)
    if not num_kept_bytes:
        part.unlink(missing_ok=True)
        note.unlink(missing_ok=True)
    if not sys.stderr.isatty():
        size = "size unknown" if remote.num_bytes is None else _in_units(remote.num_bytes)
        kept = f", {_in_units(num_kept_bytes)} of it here already" if num_kept_bytes else ""
        print(f"Downloading {remote.url} ({size}{kept})", file=sys.stderr)
    _persist(lambda: _fetch(remote.url, path), remote.url, _DOWNLOAD_WAITS_S, lambda: _size(part))
    if fault := find_fault(part):
        reason = f"{fault}, of {_size(part):,} bytes"
        part.unlink()
        note.unlink()
        raise DownloadError(remote.url, reason)
    part.replace(path)
    note.unlink()


def _get(url: str, **headers: str) -> requests.Response:
    """Opens a file on its server; the body has not been read.

    Raises:
        requests.RequestException: If the server does not answer, or does not give the file.
    """
    response = requests.get(
        url,
        # The file as it is: a server may otherwise pack it, and requests unpack a .gz file.
        headers={"Accept-Encoding": "identity", **headers},
        stream=True,
        timeout=(_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S),
    )
    if not response.ok:
        response.close()
        response.raise_for_status()
    return response


def _described(url: str, response: requests.Response) -> RemoteFile:
    length = response.headers.get("Content-Length")
    return RemoteFile(
        url=url,
        num_bytes=int(length) if length else None,
        etag=response.headers.get("ETag", ""),
        last_modified=response.headers.get("Last-Modified", ""),
    )


def _persist(
    attempt: Callable[[], Result],
    url: str,
    waits_s: Sequence[float],
    size_so_far: Callable[[], int] = lambda: 0,
) -> Result:
    """Repeats an attempt whose failure may pass; counts anew whenever one has got further."""
    furthest, waits = size_so_far(), iter(waits_s)
    while True:
        try:
            return attempt()
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if size_so_far() > furthest:
                furthest, waits = size_so_far(), iter(waits_s)
            response = getattr(error, "response", None)
            may_pass = response is None or response.status_code in _PASSING_STATUS
            wait_s = next(waits, None) if may_pass else None
            if wait_s is None:
                if response is not None:
                    reason = f"HTTP status {response.status_code}"
                elif furthest:
                    reason = f"a connection that broke off at {furthest:,} bytes"
                else:
                    reason = f"no connection ({type(error).__name__})"
                is_unreachable = response is None and not furthest
                raise DownloadError(url, reason, is_unreachable=is_unreachable) from error
            time.sleep(wait_s)


def _fetch(url: str, path: Path) -> None:
    """Completes the part of a file, from its first byte if that is of another version.

    Raises:
        requests.RequestException, urllib3.exceptions.HTTPError: If not all of it has come.
    """
    part, note = _partial(path)
    noted = _read_note(note)
    offset = _num_kept_bytes(noted, path) if noted else 0
    headers = {}
    if noted and offset:
        if offset == noted.num_bytes:
            return
        headers = {"Range": f"bytes={offset}-", "If-Range": noted.validator}
    with _get(url, **headers) as response:
        if noted and _is_rest(response, noted, offset):
            remote = noted
        else:
            part.unlink(missing_ok=True)
            if response.status_code != requests.codes.ok:
                raise requests.ConnectionError("Another part than the one asked for.")
            offset, remote = 0, _described(url, response)
            note.write_text(json.dumps(dataclasses.asdict(remote)))
        with (
            part.open("ab") as file,
            tqdm(
                desc=path.name,
                total=remote.num_bytes,
                initial=offset,
                unit="B",
                unit_scale=True,
                disable=not sys.stderr.isatty(),
            ) as bar,
        ):
            for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
                bar.update(file.write(chunk))
    if remote.num_bytes not in (None, _size(part)):
        raise requests.ConnectionError("Not as many bytes as announced.")


def _is_rest(response: requests.Response, noted: RemoteFile, offset: int) -> bool:
    """Returns whether an answer is the rest of the version that was noted.

    It may leave out the date, but not the range (RFC 9110, 15.3.7). A server that does not know
    If-Range may send the rest of another version.
    """
    headers, last = response.headers, (noted.num_bytes or 0) - 1
    return (
        response.status_code == requests.codes.partial_content
        and headers.get("Content-Range") == f"bytes {offset}-{last}/{noted.num_bytes}"
        and headers.get("ETag", noted.etag) == noted.etag
        and headers.get("Last-Modified", noted.last_modified) == noted.last_modified
    )


def _partial(path: Path) -> tuple[Path, Path]:
    """Returns where the part of a file is kept, and the note on it."""
    part = path.with_name(f"{path.name}.part")
    return part, part.with_name(f"{part.name}.json")


def _read_note(note: Path) -> RemoteFile | None:
    with contextlib.suppress(OSError, ValueError, TypeError):  # A killed run may have cut it.
        return RemoteFile(**json.loads(note.read_text()))
    return None


def _num_kept_bytes(remote: RemoteFile, path: Path) -> int:
    """Returns the size of the part that an earlier try left, if it can be continued."""
    part, note = _partial(path)
    if not remote.is_resumable or _read_note(note) != remote:
        return 0
    size = _size(part)
    return size if size <= (remote.num_bytes or 0) else 0


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _in_units(num_bytes: int) -> str:
    return f"{tqdm.format_sizeof(num_bytes)}B"
