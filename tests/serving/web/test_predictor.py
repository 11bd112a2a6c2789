"""Which model and dataset are asked, and servers that cannot be asked."""

import dataclasses
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
from free_ports import free_ports
from google.protobuf import text_format
from html_page import Page, send
from starlette.testclient import TestClient

from serving.csv_genes import CSV_MARKS
from serving.errors import InputError
from serving.local import LocalServer
from serving.messages import SSLConfig
from serving.tls import Tls
from serving.web.app import build_app
from serving.web.catalogue import Catalogue
from serving.web.config import WebConfig

pytestmark = pytest.mark.serving


def test_labels_lead_to_their_versions(
    server: LocalServer, models_dir: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "models.config"
    path.write_text((models_dir / "models.config").read_text())
    catalogues = {catalogue.name: catalogue}
    config = WebConfig(server.target, models_config=path, catalogues=catalogues)
    with TestClient(build_app(config)) as page:
        offered = Page(page.get("/").text)
        assert offered.values("value", "option") == ["tiny:stable", "tiny:canary", "foreign"]
        assert "tiny (stable)" in offered.text
        for key, version in (("tiny:stable", 3), ("tiny:canary", 12), ("tiny", 3)):
            assert f"version {version}" in page.get(f"/?model={key}&gene=PAX5").text
        # The file is the server's, which may change it.
        path.write_text(path.read_text().replace("canary", "trial"))
        assert "tiny (trial)" in page.get("/").text
        path.write_text("")
        assert "Expected a models.config that names models" in Page(page.get("/").text).text


def test_a_model_says_what_it_is(page: TestClient) -> None:
    facts = dict(Page(page.get("/").text).tables[""])
    assert facts["variant"] == "attentive_chrome"
    assert facts["marks, in order"] == ", ".join(CSV_MARKS)
    assert facts["gene region"] == "8 bins of 100 bp, \N{MINUS SIGN}0.4 to +0.4 kb around the TSS"


def test_an_unknown_model_names_the_known(page: TestClient) -> None:
    response = page.get("/?model=nosuch")
    assert response.status_code == 400
    assert "Expected one of the models tiny. Received: model=nosuch." in Page(response.text).text


@pytest.mark.parametrize(("name", "said"), [("foreign", "describes itself"), ("gone", "gone")])
def test_a_model_that_cannot_be_asked_is_told_plainly(
    server: LocalServer, name: str, said: str
) -> None:
    with TestClient(build_app(WebConfig(server.target, models=(name,)))) as page:
        response = page.get("/")
    assert response.status_code == 503
    assert "The model cannot be asked" in response.text
    assert said in Page(response.text).text


def test_the_page_comes_back_with_the_server(
    quick_models_dir: Path, text: str, catalogue: Catalogue
) -> None:
    (port,) = free_ports(1)
    catalogues = {catalogue.name: catalogue}
    config = WebConfig(f"127.0.0.1:{port}", models=("tiny",), catalogues=catalogues, timeout_s=1)
    impatient = dataclasses.replace(config, timeout_s=0.2)
    with TestClient(build_app(config)) as page, TestClient(build_app(impatient)) as other:
        for response in (
            page.get("/"),
            other.get("/?gene=PAX5"),
            other.get("/gene.csv?gene=PAX5"),
            send(other, source="csv", text=text),
        ):
            assert response.status_code == 503
            assert response.headers["retry-after"] == "10"
            shown = Page(response.text)
            assert "Is the server running, and is the address right?" in shown.text
            assert "works again as soon as the server answers" in shown.text
        # What was pasted is not lost.
        assert text.splitlines()[3] in shown.text
        assert page.get("/healthz").json() == {"status": "ok"}
        with LocalServer(quick_models_dir, port=port):
            assert page.get("/").status_code == 200
            assert send(page, source="csv", text=text).status_code == 200
        assert other.get("/").status_code == 503


def test_a_server_behind_tls_is_asked_with_a_certificate(
    quick_models_dir: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    authority = trustme.CA()
    files = {name: tmp_path / name for name in ("ca.pem", "client.pem", "client.key")}
    client = authority.issue_cert("page@example.org")
    authority.cert_pem.write_to_path(str(files["ca.pem"]))
    client.cert_chain_pems[0].write_to_path(str(files["client.pem"]))
    client.private_key_pem.write_to_path(str(files["client.key"]))
    of_server = authority.issue_cert("localhost")
    ssl_config = tmp_path / "ssl.config"
    message: Any = SSLConfig(
        server_key=of_server.private_key_pem.bytes().decode(),
        server_cert=of_server.cert_chain_pems[0].bytes().decode(),
        custom_ca=authority.cert_pem.bytes().decode(),
        client_verify=True,
    )
    ssl_config.write_text(text_format.MessageToString(message))
    catalogues = {catalogue.name: catalogue}
    with LocalServer(quick_models_dir, host="localhost", ssl_config_file=ssl_config) as server:
        for tls, timeout_s, status in (
            (Tls(*files.values()), 20, 200),
            (Tls(files["ca.pem"]), 0.5, 503),
            (None, 0.5, 503),
        ):
            config = WebConfig(
                server.target, ("tiny",), catalogues=catalogues, tls=tls, timeout_s=timeout_s
            )
            with TestClient(build_app(config)) as page:
                assert page.get("/?gene=PAX5").status_code == status


def test_a_server_that_is_silent_holds_up_nobody_else(
    config: WebConfig, serving_page: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        waiting = dataclasses.replace(config, target=target, timeout_s=3)
        with serving_page(waiting) as address, ThreadPoolExecutor() as pool:
            # More than are asked at once.
            asked = [pool.submit(status_of, f"{address}/") for _ in range(6)]
            for path in ("/healthz", "/static/page.css", "/genes?q=pax", "/results/none"):
                assert status_of(address + path) in (200, 404)
            assert not any(answer.done() for answer in asked)
            assert [answer.result() for answer in asked] == [503] * 6


def status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_dataset_that_does_not_fit_the_model_is_refused(
    config: WebConfig, catalogue: Catalogue
) -> None:
    coarse = dataclasses.replace(catalogue, metadata={**catalogue.metadata, "bin_bp": 200})
    both = {"remc/coarse": dataclasses.replace(coarse, name="remc/coarse"), **config.catalogues}
    with TestClient(
        build_app(dataclasses.replace(config, catalogues=both)), base_url="http://localhost"
    ) as page:
        response = page.get("/?gene=PAX5&dataset=remc/coarse")
        assert response.status_code == 400
        assert "Expected bin_bp=100, on which the model was trained" in Page(response.text).text
        # Where no dataset is named, one that fits is taken.
        assert "remc/demo, test split" in Page(page.get("/?gene=PAX5").text).text


def test_a_page_answers_from_a_file(
    onnx_file: Path, page: TestClient, text: str, catalogue: Catalogue
) -> None:
    """As the page before a server does, to the digits that it shows."""
    catalogues = {catalogue.name: catalogue}
    config = WebConfig("localhost:1", onnx=(onnx_file,), catalogues=catalogues)
    with TestClient(build_app(config), base_url="http://localhost") as alone:
        facts = dict(Page(alone.get("/").text).tables[""])
        assert (facts["version"], facts["variant"]) == ("12", "attentive_chrome")
        ask = "/gene.csv?gene=PAX5"
        assert alone.get(ask).text == page.get(ask).text
        for address in ("/gene.svg?gene=PAX5", "/?gene=PAX5"):
            assert "tiny, version 12" in alone.get(address).text
        answer = send(alone, source="csv", text=text)
        assert answer.status_code == 200
        assert (
            Page(answer.text).tables["genes"]
            == (Page(send(page, source="csv", text=text).text).tables["genes"])
        )


def test_files_of_one_name_are_refused(onnx_file: Path) -> None:
    with pytest.raises(InputError, match="names of their own, MODELS/NAME/VERSION"):
        build_app(WebConfig(onnx=(onnx_file, onnx_file)))
