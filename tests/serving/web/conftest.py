"""The page before the tiny model of the stand-in, with genes of a dataset, some with foul names."""

import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from page_reader import Reader, read_message
from starlette.testclient import TestClient

from serving.csv_genes import CSV_MARKS
from serving.local import LocalServer
from serving.web.app import build_app
from serving.web.catalogue import Catalogue, Gene
from serving.web.config import WebConfig

NUM_BINS = 8
MARKUP = "<script>alert(1)</script>"
_GENES = (
    ("ENSG00000196092", "PAX5", "test"),
    ("ENSG00000135903", "PAX3", "test"),
    ("ENSG00000000003", "TSPAN6", "train"),
    ("ENSG00000000003", "TSPAN6", "test"),
    (MARKUP, "\"><img src=x onerror='alert(2)'>", "test"),
)


def _gene(number: int, gene_id: str, symbol: str, split: str) -> Gene:
    return Gene(
        key="",
        gene_id=gene_id,
        symbol=symbol,
        place=f"chr9:{37_034_476 + number:,}",
        strand="-",
        split=split,
        oriented=False,
        rpkm=12.5,
        is_high=True,
        is_high_published=False,
    )


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Five genes in genome orientation: two of one name, and one that would like to be markup."""
    signal = np.random.default_rng(5).poisson(4, (len(_GENES), NUM_BINS, 5)).astype(np.float32)
    regions = {"bin_bp": 100, "flank_bp": 400, "oriented": False}
    metadata = {**regions, "unit": "TPM", "source": "alignments"}
    genes = [_gene(number, *names) for number, names in enumerate(_GENES)]
    return Catalogue("remc/demo", metadata, CSV_MARKS, genes, signal).with_keys()


@pytest.fixture
def config(server: LocalServer, catalogue: Catalogue) -> WebConfig:
    return WebConfig(
        server.target,
        models=("tiny",),
        catalogues={catalogue.name: catalogue},
        timeout_s=20,
        max_genes=500,
        allowed_hosts=("localhost", "127.0.0.1"),
    )


@pytest.fixture
def page(config: WebConfig) -> Iterator[TestClient]:
    with TestClient(build_app(config), base_url="http://localhost") as page:
        yield page


@pytest.fixture
def text(signal: np.ndarray, csv_text: Callable[..., str]) -> str:
    return csv_text(signal)


@contextmanager
def _serving(config: WebConfig) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    options = uvicorn.Config(build_app(config), log_level="warning", server_header=False)
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        # The socket listens already: whoever connects waits until the page is there.
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def serving_page() -> Callable[..., object]:
    """Serves the page over a real port, as a context that gives its address."""
    return _serving


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a file."""

    def write(text: str, name: str = "genes.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def address(
    server: LocalServer, catalogue: Catalogue, serving_page: Callable[..., Any]
) -> Iterator[str]:
    other = dataclasses.replace(catalogue, name="remc/other", genes=catalogue.genes[:1])
    config = WebConfig(
        server.target,
        models=("tiny",),
        catalogues={catalogue.name: catalogue, other.name: other},
        max_upload_mb=0.5,
        max_genes=1000,
        allowed_hosts=("127.0.0.1",),
    )
    with serving_page(config) as address:
        yield address


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from chromium import open_chromium

    downloads = tmp_path_factory.mktemp("downloads")
    logs = {"browser": "ALL", "performance": "ALL"}
    preferences = {"download.default_directory": str(downloads)}
    with open_chromium(tmp_path_factory.mktemp("profile"), logs, preferences) as driver:
        driver.downloads = downloads
        # Away from the browser's own first page, which loads this and that.
        driver.get("about:blank")
        yield driver


@pytest.fixture
def reader(browser: Any, address: str) -> Iterator[Reader]:
    reader = Reader(browser, address)
    browser.get_log("performance")
    reader.open()
    yield reader
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    reader.emulate()
    # Errors of the script, and whatever the page's own policy had to forbid. That an answer is
    # not 200 is said there, too, and is no fault of the page.
    log = [e for e in browser.get_log("browser") if "Failed to load resource" not in e["message"]]
    assert log == []
    # Every request of the browser, for whatever.
    requests = [
        message["params"]["request"]["url"]
        for message in map(read_message, browser.get_log("performance"))
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert requests
    assert [url for url in requests if not url.startswith(f"{address}/")] == []
