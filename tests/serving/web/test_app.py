"""The pages as they are answered: numbers, addresses, and what is wrong with the input."""

import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from html_page import Page, number, send
from made_models import save_describing
from starlette.testclient import TestClient

from serving.client import Client
from serving.csv_genes import CSV_MARKS
from serving.genes import Genes
from serving.local import LocalServer
from serving.predictions import to_table
from serving.web.app import build_app
from serving.web.catalogue import Catalogue
from serving.web.config import WebConfig

pytestmark = pytest.mark.serving


# === Predicting ===


@pytest.mark.parametrize("way", ["text", "file"])
def test_numbers_are_the_clients(
    page: TestClient, client: Client, signal: np.ndarray, text: str, way: str
) -> None:
    sent: dict[str, Any] = {"text": text} if way == "text" else {"file": text.encode()}
    response = send(page, model="tiny", source="csv", **sent)
    assert response.status_code == 200
    assert re.fullmatch(r"http://localhost/results/[\w-]{22,}", str(response.url))
    genes = Genes(np.array([f"G{i}" for i in range(7)]), signal, CSV_MARKS)
    expected = client.predict(genes)
    table = to_table(expected, CSV_MARKS)
    shown = Page(response.text)

    heading, *rows = shown.tables["genes"]
    assert heading == ["gene", "P(high)", "", "looks most at", "bin", *CSV_MARKS]
    assert [row[0] for row in rows] == genes.gene_id.tolist()
    assert [number(row[1]) for row in rows] == pytest.approx(expected.probability, abs=5e-4)
    assert [row[3] for row in rows] == table["top_mark"].tolist()
    assert [int(row[4]) for row in rows] == table["top_bin"].tolist()
    betas = [[number(cell) for cell in row[5:]] for row in rows]
    np.testing.assert_allclose(betas, expected.beta, atol=5e-4)

    values = [[number(cell) for cell in row[2:]] for row in shown.tables["values"][2:]]
    assert expected.alpha is not None
    np.testing.assert_allclose(np.array(values)[:, :5], signal[0])
    np.testing.assert_allclose(np.array(values)[:, 5:], expected.alpha[0].T, rtol=5e-3)

    answer = page.get(shown.link("predictions.csv"))
    assert answer.headers["content-disposition"] == 'attachment; filename="predictions.csv"'
    assert answer.text == table.to_csv(index=False, float_format="%.6g")


def test_an_additive_model_shows_what_its_answer_is_made_of(
    config: WebConfig, tmp_path: Path, signal: np.ndarray, text: str
) -> None:
    save_describing(tmp_path / "additive/1", CSV_MARKS, 8, variant="additive_chrome")
    with LocalServer(tmp_path) as server:
        config = dataclasses.replace(config, target=server.target, models=("additive",))
        with TestClient(build_app(config), base_url="http://localhost") as page:
            shown = Page(send(page, model="additive", source="csv", text=text).text)
            table = pd.read_csv(io.StringIO(page.get(shown.link("predictions.csv")).text))
    assert shown.tables["values"][0] == ["", "", "signal", "alpha", "contribution"]
    assert shown.tables["values"][1][2:] == [*CSV_MARKS] * 3
    values = [[number(cell) for cell in row[12:]] for row in shown.tables["values"][2:]]
    np.testing.assert_allclose(values, signal[0] - 3)
    total = f"{(signal[0] - 3).sum():+.2f}".replace("-", "\N{MINUS SIGN}")
    assert f"{total} in all, in the logit" in " ".join(shown.text.split())
    np.testing.assert_allclose(table["contribution_H3K4me3"], (signal[:, :, 3] - 3).sum(axis=1))


def test_a_model_of_expression_says_how_much(
    config: WebConfig, tmp_path: Path, signal: np.ndarray, text: str, catalogue: Catalogue
) -> None:
    details = {"task": "regression", "unit": "TPM", "scale": "log2(TPM + 1)"}
    for name, members in (("tpm", 1), ("both", 2)):
        save_describing(tmp_path / f"{name}/1", CSV_MARKS, 8, members=members, **details)
    with LocalServer(tmp_path) as server:
        config = dataclasses.replace(config, target=server.target, models=("tpm", "both"))
        with TestClient(build_app(config), base_url="http://localhost") as page:
            many = Page(send(page, model="both", source="csv", text=text).text)
            table = pd.read_csv(io.StringIO(page.get(many.link("predictions.csv")).text))
            response = page.get("/", params={"model": "tpm", "gene": "pax5"})
            one = Page(response.text)
            drawing = page.get(one.link("/gene.svg")).text
    expected = signal.mean(axis=(1, 2))
    heading, *rows = many.tables["genes"]
    assert heading[:5] == ["gene", "log2(TPM + 1)", "", "TPM", "sd"]
    np.testing.assert_allclose([number(row[1]) for row in rows], expected, atol=5e-3)
    np.testing.assert_allclose([number(row[3]) for row in rows], 2**expected - 1, rtol=5e-3)
    np.testing.assert_allclose(table["expression"], expected, rtol=1e-5)
    answer = float(catalogue.take(0).with_marks(CSV_MARKS).signal.mean())
    assert f'id="expression">{answer:.2f}</b> <span>or' in response.text
    assert "Predicted log2(TPM + 1)" in one.text
    assert "Measured: 12.5 TPM, 3.75 on this scale: the prediction is" in one.text
    assert "How much?" in one.text
    assert f"predicted log2(TPM + 1) {answer:.2f}" in drawing
    for shown in (many, one):
        assert "robability" not in shown.text
        assert "The model is right" not in shown.text and "The model is wrong" not in shown.text


def test_the_command_writes_the_same_table(
    page: TestClient, server: LocalServer, text: str, tmp_path: Path
) -> None:
    from serving.client import main

    (tmp_path / "genes.csv").write_text(text)
    out = tmp_path / "out.csv"
    command = f"--target {server.target} --model tiny --csv {tmp_path}/genes.csv --out {out}"
    assert main(command.split()) == 0
    shown = Page(send(page, source="csv", text=text).text)
    assert page.get(shown.link("predictions.csv")).text == out.read_text()


def test_a_gene_of_a_dataset_has_an_address(
    page: TestClient, client: Client, catalogue: Catalogue
) -> None:
    response = page.get("/", params={"model": "tiny", "gene": "pax5"})
    assert response.status_code == 200
    expected = client.predict(catalogue.take(0))
    shown = Page(response.text)
    assert f'id="probability">{expected.probability[0]:.3f}<' in response.text
    assert (
        "PAX5" in shown.text
        and "ENSG00000196092 · chr9:37,034,476 · \N{MINUS SIGN} strand" in shown.text
    )
    assert "remc/demo, test split" in shown.text
    verdict = "right" if expected.probability[0] >= 0.5 else "wrong"
    assert f"Measured: high, 12.5 TPM. The model is {verdict}." in shown.text
    assert "genes" not in shown.tables
    table = pd.read_csv(io.StringIO(page.get(shown.link("/gene.csv")).text))
    assert table["gene_id"].tolist() == ["ENSG00000196092"]
    assert table["probability"].to_numpy() == pytest.approx(expected.probability, rel=1e-5)
    drawing = page.get(shown.link("/gene.svg"))
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert drawing.headers["content-disposition"] == 'attachment; filename="PAX5.svg"'
    root = ElementTree.fromstring(drawing.text)
    assert f"{expected.probability[0]:.3f}" in "".join(root.itertext())


def test_the_form_leads_to_that_address(page: TestClient) -> None:
    response = send(page, False, model="tiny", source="gene", dataset="remc/demo", gene=" PAX5 ")
    assert response.status_code == 303
    assert response.headers["location"] == "/?model=tiny&dataset=remc%2Fdemo&gene=PAX5"


def test_genes_of_one_name_are_told_apart(page: TestClient) -> None:
    shown = Page(page.get("/?gene=TSPAN6").text)
    assert "2 genes called TSPAN6" in shown.text
    assert "Pick one, or ask for it by its own name:" in shown.text
    assert "chr9:37,034,479 \N{MINUS SIGN} test · TSPAN6@chr9:37034479" in shown.text
    links = [link for link in shown.values("href", "a") if "gene=" in link]
    assert links == [
        "/?model=tiny&dataset=remc%2Fdemo&gene=TSPAN6%40chr9%3A37034478",
        "/?model=tiny&dataset=remc%2Fdemo&gene=TSPAN6%40chr9%3A37034479",
    ]
    for link, place in zip(links, ("chr9:37,034,478", "chr9:37,034,479"), strict=True):
        of_one = Page(page.get(link).text)
        assert place in of_one.text
        assert page.get(of_one.link("/gene.csv")).status_code == 200
    refused = page.get("/gene.csv?gene=tspan6")
    assert refused.status_code == 404
    assert (
        "Expected a name that one gene has. Received: gene='tspan6', which 2 of remc/demo have: "
        "TSPAN6@chr9:37034478 (ENSG00000000003, TSPAN6, chr9:37034478 -, train); "
        "TSPAN6@chr9:37034479 (ENSG00000000003, TSPAN6, chr9:37034479 -, test). Ask for the one "
        "meant by what stands before its bracket."
    ) in Page(refused.text).text


def test_expression_has_the_unit_of_its_dataset(page: TestClient) -> None:
    shown = Page(page.get("/?gene=ENSG00000196092.14").text)
    assert "Measured: high, 12.5 TPM." in shown.text
    assert "RPKM" not in shown.text
    assert "Signal of each mark in reads, as measured" in shown.text


def test_part_of_a_name_finds_genes(page: TestClient) -> None:
    shown = Page(page.get("/?gene=pax").text)
    assert "2 genes like pax" in shown.text
    response = page.get("/?gene=nosuch")
    assert response.status_code == 404
    assert "symbol or place of a gene of remc/demo (5 genes). Received: gene='nosuch'." in (
        Page(response.text).text
    )


def test_suggestions_are_limited(page: TestClient, catalogue: Catalogue) -> None:
    answer = page.get("/genes", params={"q": "PAX", "dataset": "remc/demo"}).json()
    assert answer["number"] == 2
    assert answer["genes"][0] == {
        "key": "PAX3",
        "name": "PAX3",
        "id": "ENSG00000135903",
        "place": "chr9:37,034,477",
    }
    many = dataclasses.replace(catalogue, genes=list(catalogue.genes) * 10)
    config = WebConfig("localhost:1", models=("tiny",), catalogues={"many": many})
    with TestClient(build_app(config)) as page_of_many:
        answer = page_of_many.get("/genes?q=e").json()
    assert (answer["number"], len(answer["genes"])) == (50, 12)
    assert page.get("/genes?dataset=none&q=x").status_code == 400


def test_every_gene_of_a_result_can_be_drawn(
    page: TestClient, signal: np.ndarray, text: str
) -> None:
    response = send(page, source="csv", text=text)
    shown = Page(response.text)
    (link,) = [link for link in shown.values("href", "a") if "?gene=4#" in link]
    fourth = Page(page.get(link).text)
    assert "Gene 4 of 7, the pasted text" in fourth.text
    values = [[number(cell) for cell in row[2:7]] for row in fourth.tables["values"][2:]]
    np.testing.assert_allclose(values, signal[3])
    assert page.get(fourth.link("/4.svg")).headers["content-disposition"].endswith('"G3.svg"')
    beyond = page.get(shown.link("predictions.csv").replace("predictions.csv", "8.svg"))
    assert beyond.status_code == 404


def test_many_genes_come_in_pages(page: TestClient, csv_text: Callable[..., str]) -> None:
    genes = np.random.default_rng(1).poisson(2, (450, 8, 5)).astype(np.float32)
    response = send(page, source="csv", file=csv_text(genes).encode())
    address = str(response.url).removeprefix("http://localhost")

    def rows(query: str) -> list[str]:
        return [row[0] for row in Page(page.get(address + query).text).tables["genes"][1:]]

    assert rows("") == [f"G{i}" for i in range(200)]
    assert rows("?page=3") == [f"G{i}" for i in range(400, 450)]
    # The gene that is drawn decides, and what is out of range is brought into it.
    assert rows("?page=1&gene=201") == rows("?page=2") == [f"G{i}" for i in range(200, 400)]
    assert rows("?page=99999") == rows("?gene=999999999") == rows("?page=3")
    assert rows("?page=0") == rows("?page=-1&gene=x") == rows("")
    assert "401 to 450 of 450" in Page(page.get(f"{address}?page=3").text).text


def test_columns_can_be_named(page: TestClient, client: Client, signal: np.ndarray) -> None:
    order = [4, 0, 1, 2, 3]
    rows = pd.DataFrame(signal[0][:, order])
    rows.insert(0, "bin", range(1, 9))
    rows.insert(0, "gene", "G")
    own = rows.to_csv(header=False, index=False)
    columns = " ".join(np.array(CSV_MARKS)[order])
    response = send(page, source="csv", text=own, columns=columns)
    expected = float(client.predict(signal[:1], marks=CSV_MARKS).probability[0])
    assert f'id="probability">{expected:.3f}<' in response.text
    assert f'value="{columns}"' in response.text
    wrong = send(page, source="csv", text=own, columns="H3K9me3 H3K4me3 a b c")
    assert wrong.status_code == 400
    assert "without H3K27me3" in Page(wrong.text).text


# === What is wrong with the input ===


def test_faults_of_text_are_told_with_line_and_gene(page: TestClient, text: str) -> None:
    wrong = text.replace("G2,5,", "G2,6,")
    response = send(page, source="csv", text=wrong)
    assert response.status_code == 400
    shown = Page(response.text)
    assert (
        "Expected bin 5 of gene G2, 8 bins a gene. Received: the pasted text, line 21: gene G2, "
        "bin=6." in shown.text
    )
    assert wrong.splitlines()[20] in shown.text
    response = send(page, source="csv", file=re.sub(r"G1,2,\d+", "G1,2,-7", text).encode())
    assert "own genes.csv, line 10, gene G1: H3K27me3='-7'" in Page(response.text).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source": "csv"}, "Expected genes. Received: no text and no file"),
        ({}, "Expected genes. Received: no text and no file"),
        ({"source": "gene"}, "Expected a gene. Received: none"),
        ({"source": "csv", "text": "a", "file": b"a"}, "Expected a file or pasted text"),
        ({"source": "csv", "text": "a", "model": "x"}, "Expected one of the models tiny"),
    ],
)
def test_what_is_missing_is_told(page: TestClient, fields: dict[str, Any], said: str) -> None:
    response = send(page, **fields)
    assert response.status_code == 400
    assert said in Page(response.text).text


def test_too_many_genes_are_refused(page: TestClient, csv_text: Callable[..., str]) -> None:
    text = csv_text(np.zeros((501, 8, 5)))
    response = send(page, source="csv", file=text.encode())
    assert response.status_code == 400
    assert "Expected at most 500 genes at once, 4,000 lines. Received: own genes.csv, 4,008" in (
        Page(response.text).text
    )


def test_results_that_are_gone_are_told_to_be(page: TestClient) -> None:
    for path in ("/results/nosuch", "/results/nosuch/predictions.csv", "/results/nosuch/1.svg"):
        response = page.get(path)
        assert response.status_code == 404
        assert "results that are still kept" in Page(response.text).text


def test_without_datasets_there_is_text_alone(server: LocalServer, text: str) -> None:
    with TestClient(build_app(WebConfig(server.target, models=("tiny",)))) as page:
        shown = Page(page.get("/").text)
        assert "Symbol or Ensembl id" not in shown.text
        assert send(page, source="csv", text=text).status_code == 200
        response = page.get("/?gene=PAX5")
    assert response.status_code == 400
    assert "Start the page with --dataset" in Page(response.text).text
