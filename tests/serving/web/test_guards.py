"""What protects readers and the page: headers, limits, names that would like to be markup."""

import dataclasses
import io
import socket
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from html_page import Page, send
from starlette.testclient import TestClient

from serving.web.app import build_app
from serving.web.catalogue import Catalogue
from serving.web.config import WebConfig

pytestmark = pytest.mark.serving

MARKUP = "<script>alert(1)</script>"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def addresses(page: TestClient, text: str) -> Iterator[Any]:
    response = send(page, source="csv", text=text)
    yield response
    link = Page(response.text).link
    for path in (
        *("/", "/?gene=PAX5", "/?gene=nosuch", "/?gene=pax", "/healthz", "/static/theme.css"),
        *("/static/page.css", "/static/page.js", "/static/icon.svg", "/genes?q=p"),
        *("/nosuch", "/results/nosuch", "/predict"),
    ):
        yield page.get(path)
    yield page.get("/", headers={"Host": "evil.example"})
    yield page.post("/predict", headers={"Origin": "http://evil.example"})
    yield page.get(link("predictions.csv"))
    yield page.get(link(".svg"))


def test_every_answer_carries_its_guards(page: TestClient, text: str) -> None:
    for response in addresses(page, text):
        headers = response.headers
        is_download = "content-disposition" in headers
        policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox" if is_download else POLICY
        assert headers["content-security-policy"] == policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == ("no-cache" if "etag" in headers else "no-store")
        assert "set-cookie" not in headers


def test_nothing_runs_or_loads_but_the_pages_own_files(page: TestClient, text: str) -> None:
    for response in addresses(page, text):
        if not response.headers.get("content-type", "").startswith("text/html"):
            continue
        shown = Page(response.text)
        assert shown.values("src") == ["/static/page.js"]
        assert shown.values("style") == []
        assert all(link.startswith(("/", "#")) for link in shown.values("href"))
        names = {name for _, attributes in shown.elements for name in attributes}
        assert not any(name.startswith("on") for name in names)
        assert [tag for tag, _ in shown.elements].count("script") == 1
        ids = shown.values("id")
        assert len(ids) == len(set(ids))
        targets = [link[1:] for link in shown.values("href") if link.startswith("#")]
        for name in ("aria-labelledby", "aria-controls", "aria-describedby", "for"):
            targets += shown.values(name)
        assert set(targets) <= set(ids)


def test_names_stay_text(
    page: TestClient, catalogue: Catalogue, signal: np.ndarray, csv_text: Callable[..., str]
) -> None:
    text = csv_text(signal[:2], lambda i: f'"{MARKUP}{i}"')
    in_file = send(page, source="csv", file=text.encode())
    responses = [
        in_file,
        page.get("/", params={"gene": MARKUP}),
        page.get("/", params={"gene": "img"}),
        page.get("/", params={"gene": f"{MARKUP}no"}),
        page.get("/", params={"model": MARKUP}),
        page.get("/", params={"dataset": MARKUP, "gene": "PAX5"}),
        page.get(f"/{MARKUP}"),
        page.get(f"/results/{MARKUP}"),
        send(page, source="csv", text=f"</textarea>{MARKUP}"),
        send(page, source="csv", text="a", columns=f'">{MARKUP}'),
        page.post(
            "/predict",
            files={"source": (None, "csv"), "file": (f"{MARKUP}.csv", b"a", "text/csv")},
        ),
    ]
    for response in responses:
        shown = Page(response.text)
        assert [tag for tag, _ in shown.elements].count("script") == 1
        assert not {"img"} & {tag for tag, _ in shown.elements}
    assert [row[0] for row in Page(in_file.text).tables["genes"][1:]] == [
        f"{MARKUP}0",
        f"{MARKUP}1",
    ]
    drawing = page.get(Page(in_file.text).link("/1.svg"))
    assert "<script" not in drawing.text
    assert f"{MARKUP}0" in "".join(ElementTree.fromstring(drawing.text).itertext())
    assert drawing.headers["content-disposition"].endswith('"script_alert_1_script_0.svg"')
    assert page.get("/genes", params={"q": MARKUP}).json()["genes"][0]["id"] == MARKUP


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_other_sites_cannot_send(
    page: TestClient, text: str, headers: dict[str, str], status: int
) -> None:
    files = {"source": (None, "csv"), "text": (None, text)}
    response = page.post("/predict", files=files, headers=headers, follow_redirects=False)
    assert response.status_code == status
    if status == 403:
        assert "Expected a request of this page's own" in Page(response.text).text


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:8080", 200), ("evil.example", 400), ("localhost.evil", 400)],
)
def test_only_names_of_this_machine_are_answered(page: TestClient, host: str, status: int) -> None:
    assert page.get("/healthz", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("announces", [True, False])
def test_too_much_is_cut_off(
    config: WebConfig, serving_page: Callable[..., Any], announces: bool
) -> None:
    """Over a real connection: a gigabyte is on its way, and most of it never leaves."""
    length = f"Content-Length: {2**30}" if announces else "Transfer-Encoding: chunked"
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n"
    )
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    small = dataclasses.replace(config, max_upload_mb=0.5)
    sent = 0
    with serving_page(small) as address:
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("localhost", port), timeout=60) as connection:
            connection.sendall(head.encode())
            try:
                while sent < 2**30:
                    content = bytes(2**16) if sent else part
                    if not announces:
                        content = b"%x\r\n%b\r\n" % (len(content), content)
                    connection.sendall(content)
                    sent += len(content)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = b""
            while received := connection.recv(2**16):
                answer += received
    # What the buffers of both sides hold comes on top of the limit.
    assert sent < 2**25
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert b"Expected an upload of at most 0.5 MB. Received: more." in answer


def test_pasted_text_has_the_same_limit(config: WebConfig) -> None:
    small = dataclasses.replace(config, max_upload_mb=0.5)
    with TestClient(build_app(small), base_url="http://localhost") as page:
        assert send(page, source="csv", text="G" * 2**19).status_code == 413


def test_a_form_that_is_none_is_refused(page: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    for content in (b"garbage", b"--b\r\n\r\n"):
        assert page.post("/predict", content=content, headers=headers).status_code == 400
    files = [("file", (f"{i}.csv", b"a")) for i in range(3)]
    assert page.post("/predict", files=files).status_code == 400
    assert page.get("/predict").status_code == 405


def test_folders_are_not_listed(page: TestClient) -> None:
    for path in (
        "/static",
        "/static/",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/templates/",
    ):
        response = page.get(path)
        assert response.status_code in (404, 405)
        assert "build_app" not in response.text


def test_names_are_no_formulas_where_a_spreadsheet_opens_them(
    page: TestClient, signal: np.ndarray, csv_text: Callable[..., str]
) -> None:
    names = ("=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "SOX2", "7")
    text = csv_text(signal[: len(names)], lambda i: f'"{names[i]}"')
    shown = Page(send(page, source="csv", text=text).text)
    table = pd.read_csv(io.StringIO(page.get(shown.link("predictions.csv")).text), dtype=str)
    assert table["gene_id"].tolist() == [f"'{name}" for name in names[:4]] + ["SOX2", "7"]


def test_a_bug_says_nothing_of_itself(config: WebConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("serving.web.app.view_of_gene", fail)
    app = build_app(config)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as page:
        response = page.get("/?gene=PAX5")
    assert response.status_code == 500
    assert response.headers["content-security-policy"] == POLICY
    assert "secret" not in response.text
    assert "a fault of this page's own" in Page(response.text).text
