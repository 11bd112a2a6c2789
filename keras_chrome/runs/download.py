"""Models by name: fetched over https, checked, kept, and read from there without a network.

A published folder lists its files with their sha256 in `SHA256SUMS`, which is fetched first. A
folder in the cache is one of these lists, so that what changes upstream is another folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from pathlib import Path
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
    if pinned and (kept / pinned / SUMS).is_file():
        return kept / pinned
    try:
        sums = _get(f"{url}/{SUMS}", _MAX_SUMS_BYTES)
    except _UnreachableError as error:
        last = max(kept.glob(f"*/{SUMS}"), key=lambda path: path.stat().st_mtime, default=None)
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
    with atomic_path(folder / _SOURCE) as temporary:
        temporary.write_text(plain)
    # Last: it says that the others are there.
    with atomic_path(folder / SUMS) as temporary:
        temporary.write_bytes(sums)
    return folder


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return
        try:
            content = _get(url, _MAX_BYTES)
        except _UnreachableError as error:
            raise InputError(f"Expected a network, to fetch {url}. Received: {error}") from None
        _checked(content, sha256, url)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


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
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{hub}/{match[1]}/resolve/{(match[2] or 'main').replace('/', '%2F')}"


class _UnreachableError(Exception):
    """There is no network, or nobody at its other end."""


def _get(url: str, max_bytes: int) -> bytes:
    """The content of a URL, after redirections, each of which must be https, too."""
    import requests

    _check_scheme(url)
    content = bytearray()
    try:
        with requests.Session() as session:
            answer = session.get(url, timeout=30, stream=True, allow_redirects=False)
            for _ in range(5):
                if answer.next is None:
                    break
                _check_scheme(str(answer.next.url))
                answer.close()
                answer = session.send(answer.next, timeout=30, stream=True, allow_redirects=False)
            with answer:
                if answer.status_code != 200:
                    raise InputError(
                        f"Expected a file at {url}. Received: {answer.status_code} "
                        f"{printable(answer.reason or '')}; see whether the name is right"
                    )
                for part in answer.iter_content(2**16):
                    content += part
                    if len(content) > max_bytes:
                        raise InputError(
                            f"Expected at most {max_bytes} bytes. Received: more from {url}"
                        )
    except requests.RequestException as error:
        raise _UnreachableError(printable(error)) from None
    return bytes(content)


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS):
        return
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
