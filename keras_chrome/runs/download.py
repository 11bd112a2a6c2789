"""Models by name: fetched over https, checked, kept, and read from there without a network.

A published folder lists its files with their sha256 in `SHA256SUMS`, which is fetched first. A
folder in the cache is one of these lists, so that what changes upstream is another folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlsplit

from keras_chrome.atomic import atomic_path
from keras_chrome.errors import InputError, printable

SUMS = "SHA256SUMS"
PUBLISHED_FILES = ("config.json", "metrics.json", "model.keras")
"""What is fetched of a published folder."""
_NEEDED = {"config.json", "model.keras"}
_MAX_BYTES = 512 * 2**20
_MAX_SUMS_BYTES = 2**16
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_HUB = "hf://"
_HUB_NAME = re.compile(r"([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?", re.ASCII)
_SOURCE = "SOURCE"


def cache_dir() -> Path:
    """Where downloads are kept: `KERAS_CHROME_CACHE`, or a folder in the user's cache."""
    if folder := os.environ.get("KERAS_CHROME_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "keras-chrome"


def is_url(name: str | Path) -> bool:
    """Whether a name is to be fetched, and no path."""
    return str(name).startswith(("https://", "http://", _HUB))


def _in_one_line_of(fetch: Callable[[str], Path]) -> Callable[[str], Path]:
    """What is no URL, and a cache that cannot be used, as what a user can mend."""

    @wraps(fetch)
    def fetched(name: str) -> Path:
        try:
            return fetch(name)
        except InputError:
            raise
        except OSError as error:
            raise InputError(
                f"Expected a folder to keep {name} in. Received: {cache_dir()} "
                f"({error.strerror or error}); name another: KERAS_CHROME_CACHE=FOLDER"
            ) from None
        except ValueError as error:
            raise InputError(f"Expected a URL. Received: {name} ({printable(error)})") from None

    return fetched


@_in_one_line_of
def fetch_folder(name: str) -> Path:
    """Fetch a published folder, or take it from the cache.

    Args:
        name: `hf://OWNER/NAME`, with `@REVISION` perhaps, or the URL of the folder; either with
            `#sha256=...` of its `SHA256SUMS` at the end, which needs no network once it is here.

    Returns:
        A folder that `open_run` takes.

    Raises:
        InputError: If it cannot be reached and was never fetched, or is not what it says.
    """
    plain, pinned = _pinned(name)
    url = _folder_url(plain)
    kept = cache_dir() / "models" / hashlib.sha256(url.encode()).hexdigest()[:16]
    if pinned and _is_whole(kept / pinned):
        return kept / pinned
    try:
        sums = _get(f"{url}/{SUMS}", _MAX_SUMS_BYTES)
    except _UnreachableError as error:
        whole = (path for path in kept.glob(f"*/{SUMS}") if _is_whole(path.parent))
        last = max(whole, key=lambda path: path.stat().st_mtime, default=None)
        if last is not None and not pinned:
            return last.parent
        cached = sorted({p.read_text() for p in cache_dir().glob(f"models/*/*/{_SOURCE}")})
        raise InputError(
            f"Expected a network, to fetch {name}. Received: {error}; cached are "
            f"{', '.join(cached) or 'none'}"
        ) from None
    digest = _checked(sums, pinned, f"{url}/{SUMS}")
    folder = kept / digest
    listed = _listed(sums, url)
    for file in PUBLISHED_FILES:
        if file in listed:
            _keep(f"{url}/{file}", folder / file, listed[file])
    if _is_whole(folder):
        with suppress(OSError):  # Others may have fetched it, for all to read.
            os.utime(folder / SUMS)  # the last that was asked for
        return folder
    with atomic_path(folder / _SOURCE) as temporary:
        temporary.write_text(plain)
    # Last: it says that the others are there.
    with atomic_path(folder / SUMS) as temporary:
        temporary.write_bytes(sums)
    return folder


@_in_one_line_of
def fetch_file(url: str) -> Path:
    """Fetch a file, or take it from the cache.

    Args:
        url: With `#sha256=...` at its end.

    Raises:
        InputError: If it cannot be reached and was never fetched, or has another sha256.
    """
    plain, pinned = _pinned(url)
    if pinned is None:
        raise InputError(
            f"Expected a URL that ends in #sha256=, what the file must have. Received: {url}"
        )
    name = Path(urlsplit(plain).path).name or "file"
    path = cache_dir() / "files" / pinned / name
    _keep(plain, path, pinned)
    return path


def _keep(url: str, path: Path, sha256: str) -> None:
    """Fetch a file to where it is kept, once among processes."""
    if _is_kept(path, sha256):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_kept(path, sha256):
            return
        try:
            content = _get(url, _MAX_BYTES)
        except _UnreachableError as error:
            raise InputError(f"Expected a network, to fetch {url}. Received: {error}") from None
        _checked(content, sha256, url)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def _is_kept(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _is_whole(folder: Path) -> bool:
    """Whether a folder of the cache is what its list, after which it is called, says."""
    if not _is_kept(folder / SUMS, folder.name):
        return False
    listed = _listed((folder / SUMS).read_bytes(), str(folder))
    return all(_is_kept(folder / n, listed[n]) for n in PUBLISHED_FILES if n in listed)


def _pinned(name: str) -> tuple[str, str | None]:
    plain, fragment = urldefrag(name)
    if not fragment:
        return plain.rstrip("/"), None
    if not (match := re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)):
        raise InputError(f"Expected #sha256= and 64 hexadecimal digits. Received: {name}")
    return plain.rstrip("/"), match[1]


def _folder_url(name: str) -> str:
    if not name.startswith(_HUB):
        return name
    match = _HUB_NAME.fullmatch(name.removeprefix(_HUB))
    if match is None:
        raise InputError(f"Expected hf://OWNER/NAME or hf://OWNER/NAME@REVISION. Received: {name}")
    hub = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    return f"{hub}/{match[1]}/resolve/{(match[2] or 'main').replace('/', '%2F')}"


class _UnreachableError(Exception):
    """There is no network, or nobody at its other end."""


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to where a URL may lead."""

    def redirect_request(self, request: Any, *answered: Any) -> urllib.request.Request | None:
        *_, url = answered
        _check_scheme(url, request.full_url)
        return super().redirect_request(request, *answered)


def _get(url: str, max_bytes: int) -> bytes:
    """The content of a URL, after redirections."""
    _check_scheme(url)
    request = urllib.request.Request(url, headers={"User-Agent": "keras-chrome"})
    try:
        with urllib.request.build_opener(_OnlyHttps()).open(request, timeout=30) as answer:
            content: bytes = answer.read(max_bytes + 1)
            length = answer.headers["Content-Length"]
    except urllib.error.HTTPError as error:
        if error.code == 429 or error.code >= 500:  # It may come back.
            raise _UnreachableError(f"{error.code} {printable(error.reason)}") from None
        raise InputError(
            f"Expected a file at {url}. Received: {error.code} {printable(error.reason)}; see "
            "whether the name is right"
        ) from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise _UnreachableError(printable(error)) from None
    if len(content) > max_bytes:
        raise InputError(f"Expected at most {max_bytes} bytes. Received: more from {url}")
    if length is not None and len(content) < int(length):
        raise _UnreachableError(f"{len(content)} of {length} bytes of {url}")
    return content


def _check_scheme(url: str, before: str | None = None) -> None:
    """See that a URL is https, or of this machine and not where another one has sent us."""
    parts = urlsplit(url)
    if parts.username is not None:
        raise InputError("Expected a URL without user and password. Received: one with them")
    is_local = {parts.hostname, urlsplit(before or url).hostname} <= set(_LOCAL_HOSTS)
    if parts.scheme != "https" and not (is_local and parts.scheme == "http"):
        raise InputError(f"Expected a URL that begins with https://. Received: {url}")


def _checked(content: bytes, expected: str | None, url: str) -> str:
    found = hashlib.sha256(content).hexdigest()
    if expected not in (None, found):
        raise InputError(
            f"Expected sha256 {expected} of {url}. Received: {found}; it is damaged or another file"
        )
    return found


def _listed(sums: bytes, url: str) -> dict[str, str]:
    lines = re.findall(rb"^([0-9a-f]{64}) [ *]([\w.-]+)$", sums, re.MULTILINE)
    listed = {name.decode(): digest.decode() for digest, name in lines}
    if missing := sorted(_NEEDED - set(listed)):
        raise InputError(
            f"Expected a folder as `keras_chrome.publish` writes it. Received: {url}, whose {SUMS} "
            f"lacks {', '.join(missing)}"
        )
    return listed
