"""Files that only who wrote them opens without a word: pickles, signed with a key of the user's.

To load a pickle is to run whatever it says. scikit-learn's estimators have no other file that gives
back all of them exactly, so what counts is who wrote it: a file begins with its HMAC under a key
that lies in the user's configuration folder, and in no run directory.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from keras_chrome.errors import InputError

TRUST = "KERAS_CHROME_TRUST_PICKLES"
"""The environment variable that is 1 where the user trusts pickles that others wrote."""

_START = b"keras-chrome signed 1\n"
_KEY_BYTES = 32


def signed(content: bytes) -> bytes:
    """A file of this content that the same user can open again."""
    return _START + _tag(content) + content


def trusted_content(path: Path, *, trust: bool = False) -> bytes:
    """The content of a file that this user wrote, or wants to trust.

    Args:
        path: The file, of `signed` or of an earlier version, which signed none.
        trust: Whether to trust it, whoever wrote it; so does `TRUST=1` in the environment.

    Raises:
        InputError: If somebody else may have written it, and nobody said to trust it.
    """
    file = path.read_bytes()
    tag, content = b"", file
    if file.startswith(_START):
        tag, content = file[len(_START) :][:_KEY_BYTES], file[len(_START) + _KEY_BYTES :]
    if trust or os.environ.get(TRUST) == "1" or hmac.compare_digest(tag, _tag(content)):
        return content
    raise InputError(
        f"Expected a baseline that you fitted on this account. Received: {path}, a pickle of "
        "somebody else, of another account or of an earlier version, which can run any code as it "
        f"is loaded; fit it again, or set {TRUST}=1 for this command if you trust who wrote it"
    )


def _tag(content: bytes) -> bytes:
    return hmac.digest(_key(), content, hashlib.sha256)


@functools.cache
def _key() -> bytes:
    """The user's key, made when it is first asked for; of this process alone without a home."""
    try:
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        path = home / "keras-chrome" / "key"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            own = path.with_name(f".key.{os.getpid()}")
            with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
            with contextlib.suppress(FileExistsError):  # Another process was first: its key counts.
                os.link(own, path)
            own.unlink()
        if len(key := path.read_bytes()) == _KEY_BYTES:
            return key
    except (OSError, RuntimeError):
        pass  # What is written now asks for a word later.
    return secrets.token_bytes(_KEY_BYTES)
