"""Models by name, from a server of this machine."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import keras_chrome
from keras_chrome.errors import InputError
from keras_chrome.import_weights import ImportConfig, convert, import_weights
from keras_chrome.runs.download import fetch_file, fetch_folder

REDIRECTIONS = {"/away": "http://example.org/file", "/near": "/w.pt", "/odd": "http://[::1"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        if self.path in REDIRECTIONS:
            self.send_response(302)
            self.send_header("Location", REDIRECTIONS[self.path])
            self.end_headers()
        elif self.path.startswith("/busy"):
            self.send_error(503)
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"weigh")
        else:
            super().do_GET()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[ThreadingHTTPServer, Path, str]]:
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_CHROME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def published(folder: Path, **contents: str) -> str:
    """A folder of files with their list, whose sha256 is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = contents or {"config.json": "{}", "model.keras": "network"}
    for name, content in contents.items():
        (folder / name).write_text(content)
    return listed(folder)


def listed(folder: Path) -> str:
    files = sorted({path.name for path in folder.iterdir()} - {"SHA256SUMS"})
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files]
    text = "".join(f"{d}  {name}\n" for d, name in zip(digests, files, strict=True))
    (folder / "SHA256SUMS").write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_model_of_the_hub_is_loaded_and_then_without_a_network(
    site, run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, folder, url = site
    at = folder / "lab" / "e012" / "resolve" / "v1"
    at.mkdir(parents=True)
    for name in ("config.json", "model.keras"):
        shutil.copy(run_path / name, at)
    listed(at)
    monkeypatch.setenv("HF_ENDPOINT", url)
    signal = np.ones((2, 20, 5), np.float32)
    expected = keras_chrome.load_model(run_path)(signal)["probability"]
    for _ in range(2):
        model = keras_chrome.load_model("hf://lab/e012@v1")
        np.testing.assert_array_equal(model(signal)["probability"], expected)
        server.shutdown()
        server.server_close()
    with pytest.raises(InputError, match=r"Expected a network.*cached are hf://lab/e012@v1$"):
        keras_chrome.load_model("hf://lab/other")


def test_what_changed_upstream_is_fetched_and_what_is_pinned_is_kept(site) -> None:
    _, folder, url = site
    first = published(folder / "m")
    old = fetch_folder(f"{url}/m")
    published(folder / "m", **{"config.json": "{}", "model.keras": "better"})
    assert (fetch_folder(f"{url}/m/") / "model.keras").read_text() == "better"
    assert fetch_folder(f"{url}/m#sha256={first}") == old
    assert (old / "model.keras").read_text() == "network"


def test_a_file_that_is_not_the_listed_one_is_refused_and_not_kept(site, cache: Path) -> None:
    _, folder, url = site
    published(folder / "m")
    (folder / "m" / "model.keras").write_text("evil")
    with pytest.raises(InputError, match=r"Expected sha256 .* of .*/m/model\.keras"):
        fetch_folder(f"{url}/m")
    assert not list(cache.rglob("model.keras"))
    assert not list(cache.rglob("SHA256SUMS"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("http://example.org/m", "begins with https://"),
        ("hf://nobody", "Expected hf://OWNER/NAME"),
        ("https://example.org/m#sha256=12", "64 hexadecimal digits"),
    ],
)
def test_names_that_are_none(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        keras_chrome.load_model(name)


def test_a_folder_that_was_not_published_is_refused(site) -> None:
    _, folder, url = site
    published(folder / "m", **{"config.json": "{}"})
    with pytest.raises(InputError, match=r"SHA256SUMS lacks model\.keras"):
        fetch_folder(f"{url}/m")
    with pytest.raises(InputError, match="Received: 404"):
        fetch_folder(f"{url}/none")


def test_a_file_is_bounded_and_stays_on_https(site, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder, url = site
    (folder / "w.pt").write_text("weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(
        InputError, match=r"begins with https://\. Received: http://example\.org/file"
    ):
        fetch_file(f"{url}/away#sha256={digest}")
    with pytest.raises(InputError, match="#sha256="):
        fetch_file(f"{url}/w.pt")
    monkeypatch.setattr("keras_chrome.runs.download._MAX_BYTES", 6)
    with pytest.raises(InputError, match="at most 6 bytes"):
        fetch_file(f"{url}/w.pt#sha256={digest}")
    monkeypatch.setattr("keras_chrome.runs.download._MAX_BYTES", 7)
    path = fetch_file(f"{url}/w.pt#sha256={digest}")
    (folder / "w.pt").unlink()
    assert fetch_file(f"{url}/w.pt#sha256={digest}") == path
    assert path.read_text() == "weights"


def test_a_file_is_followed_to_where_it_lies(site) -> None:
    _, folder, url = site
    (folder / "w.pt").write_text("weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert fetch_file(f"{url}/near#sha256={digest}").read_text() == "weights"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("short", "Expected a network, .*Received: 5 of 8 bytes"),
        ("busy", "Expected a network, .*Received: 503 "),
        ("odd", "Expected a URL. Received: .*Invalid IPv6 URL"),
    ],
)
def test_a_server_that_fails_is_told_in_one_line(site, path: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fetch_file(f"{site[2]}/{path}#sha256={'0' * 64}")


def test_what_was_altered_in_the_cache_is_fetched_again(site) -> None:
    server, folder, url = site
    digest = published(folder / "m")
    kept = fetch_folder(f"{url}/m#sha256={digest}")
    (kept / "model.keras").write_text("altered")
    assert (fetch_folder(f"{url}/m#sha256={digest}") / "model.keras").read_text() == "network"
    (kept / "model.keras").write_text("altered")
    server.shutdown()
    server.server_close()
    for name in (f"{url}/m", f"{url}/m#sha256={digest}"):
        with pytest.raises(InputError, match="Expected a network"):
            fetch_folder(name)


def test_a_cache_that_is_no_folder_is_named(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder, url = site
    published(folder / "m")
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_CHROME_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="name another: KERAS_CHROME_CACHE=FOLDER"):
        fetch_folder(f"{url}/m")


def test_a_password_is_neither_sent_nor_shown(site) -> None:
    with pytest.raises(InputError, match=r"without user and password\. Received: one with them$"):
        fetch_folder(f"{site[2]}/m".replace("//", "//me:secret@"))


@pytest.mark.real_data
def test_published_weights_come_by_their_name(
    site, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder, url = site
    shutil.copy(real_data / "weights" / "E003_attchrome_avgAUC_model.pt", folder / "w.pt")
    pinned = convert.PUBLISHED["E003"].partition("#")[2]
    monkeypatch.setitem(convert.PUBLISHED, "E003", f"{url}/w.pt?download=1#{pinned}")
    run = import_weights("E003", ImportConfig(run_dir=tmp_path / "run"))
    golden = np.load(real_data / "weights" / "E003_toy_golden.npz")
    probability = run.load_model()(golden["signal"])["probability"]
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-golden["logit"])), atol=1e-5)
