"""What the clients do alike, each asking the stand-in over a real port."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from made_models import save_describing

from serving.client import Client
from serving.errors import InputError, ServerError
from serving.genes import Genes
from serving.local import LocalServer
from serving.predictions import join
from serving.rest_client import RestClient

pytestmark = pytest.mark.serving
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
OpenClient = Callable[..., Any]


@pytest.fixture
def client(open_client: OpenClient) -> Iterator[Any]:
    with open_client("tiny") as client:
        yield client


# === Answers ===


def test_predicts_as_the_keras_model(client: Any, model: keras.Model, signal: np.ndarray) -> None:
    prediction = client.predict(signal, marks=MARKS)
    expected = model(signal, training=False)
    assert expected["probability"].numpy().std() > 0.01
    for key in ("probability", "alpha", "beta"):
        np.testing.assert_allclose(getattr(prediction, key), expected[key], atol=1e-5)
        assert getattr(prediction, key).dtype == np.float32
        assert getattr(prediction, key).flags.writeable
    cheap = client.predict(signal, attention=False)
    np.testing.assert_allclose(cheap.probability, expected["probability"], atol=1e-5)
    assert cheap[1:] == (*(None,) * 7, "probability")


def test_saliency_is_the_gradient_of_the_logit(
    client: Any, model: keras.Model, signal: np.ndarray
) -> None:
    saliency = client.saliency(signal, marks=MARKS)
    logit_model = keras.Model(model.inputs, model.get_layer("logit").output)
    watched = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        logit = logit_model(watched)
    np.testing.assert_allclose(saliency.gradient, tape.gradient(logit, watched), atol=1e-5)
    np.testing.assert_allclose(saliency.probability, tf.sigmoid(logit)[:, 0], atol=1e-5)


def test_all_ways_carry_the_same_numbers(server: LocalServer) -> None:
    """Also numbers that only their exact text gives back."""
    signal = np.random.default_rng(1).lognormal(0, 3, (3, 8, 5)).astype(np.float32)
    with (
        Client(server.target, "tiny") as over_grpc,
        RestClient(server.rest_url or "", "tiny") as over_rest,
    ):
        for one, other in zip(over_grpc.predict(signal), over_rest.predict(signal), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(
            over_grpc.saliency(signal).gradient, over_rest.saliency(signal).gradient
        )


def test_describes_the_model(client: Any) -> None:
    description = client.description
    assert (description.name, description.version) == ("tiny", 12)
    assert description.marks == MARKS
    assert description.num_bins == 8
    assert description.details["variant"] == "attentive_chrome"
    assert not description.is_ensemble
    assert client.status() == {3: "AVAILABLE", 12: "AVAILABLE"}
    metadata = client.metadata()
    assert set(metadata) == {"serving_default", "predict", "saliency", "describe"}
    assert metadata["predict"] == {
        "inputs": {"signal": ("float32", (-1, 8, 5))},
        "outputs": {"probability": ("float32", (-1,))},
    }
    assert metadata["describe"]["outputs"] == {"description": ("string", (-1,))}


def test_asks_the_version_it_was_given(open_client: OpenClient) -> None:
    with open_client("tiny", 3) as client:
        assert client.description.version == 3
        assert client.status() == {3: "AVAILABLE"}


def test_asks_the_version_that_has_the_label(open_client: OpenClient, signal: np.ndarray) -> None:
    with open_client("tiny", label="stable") as client:
        assert client.description.version == 3
        assert client.status() == {3: "AVAILABLE", 12: "AVAILABLE"}
        assert len(client.predict(signal).probability) == 7
        assert "predict" in client.metadata()
    with (
        open_client("tiny", label="best") as client,
        pytest.raises(ServerError, match="Unrecognized servable version label: best"),
    ):
        client.predict(signal)


def test_genes_bring_their_marks_and_names(open_client: OpenClient, signal: np.ndarray) -> None:
    more = np.concatenate([np.full((7, 8, 1), 9, np.float32), signal[:, :, ::-1]], axis=2)
    gene_id = np.array([f"g{number}" for number in range(7)])
    genes = Genes(gene_id, more, ("H3K27ac", *MARKS[::-1]))
    with open_client("tiny", batch_size=3) as client:
        expected = client.predict(signal)
        prediction = client.predict(genes)
        saliency = client.saliency(genes)
        parts = list(client.predict_stream(genes))
    np.testing.assert_allclose(prediction.alpha, expected.alpha, atol=1e-6)
    assert expected.gene_id is None
    assert list(prediction.gene_id) == list(saliency.gene_id) == list(gene_id)
    assert [list(part.gene_id) for part in parts] == [
        ["g0", "g1", "g2"],
        ["g3", "g4", "g5"],
        ["g6"],
    ]


# === Streams ===


@pytest.mark.parametrize("concurrency", [1, 4])
def test_no_gene_is_lost_doubled_or_moved(open_client: OpenClient, concurrency: int) -> None:
    """Whatever the sizes of chunks and requests, the result is that of one request."""
    signal = np.random.default_rng(2).poisson(3, (57, 8, 5)).astype(np.float32)
    gene_id = np.arange(57).astype(str)
    with open_client("tiny") as client:
        whole = client.predict(signal)
    for batch_size, chunk in ((1, 57), (4, 10), (100, 13)):
        with open_client("tiny", batch_size=batch_size, concurrency=concurrency) as client:
            chunks = (
                Genes(gene_id[start : start + chunk], signal[start : start + chunk], MARKS)
                for start in range(0, 57, chunk)
            )
            parts = list(client.predict_stream(chunks))
        assert all(len(part.probability) <= batch_size for part in parts)
        joined = join(parts)
        assert joined.gene_id is not None
        assert list(joined.gene_id) == list(gene_id)
        for key in ("probability", "alpha", "beta"):
            np.testing.assert_allclose(getattr(joined, key), getattr(whole, key), atol=1e-6)


def test_reads_no_more_than_it_sends(client: Any) -> None:
    """An input without end is answered as it comes."""
    num_read = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal num_read
        while True:
            num_read += 1
            yield np.full((2, 8, 5), num_read % 7, np.float32)

    stream = client.predict_stream(endless())
    for _ in range(10):
        next(stream)
    assert num_read <= 14
    stream.close()
    assert num_read >= 10


def test_many_threads_may_share_a_client(server: LocalServer, signal: np.ndarray) -> None:
    for client in (Client(server.target, "tiny"), RestClient(server.rest_url or "", "tiny")):
        with client, ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, c=client: c.predict(signal), range(24)))
            expected = client.predict(signal).probability
        for answer in answers:
            np.testing.assert_allclose(answer.probability, expected, atol=1e-6)


# === Input that is refused before it is sent ===


@pytest.mark.parametrize(
    ("signal", "marks", "message"),
    [
        (np.ones((2, 8, 4), np.float32), None, r"\(genes, 8 bins, 5 marks\). .*shape=\(2, 8, 4\)"),
        (np.ones((2, 5, 8), np.float32), None, r"shape=\(2, 5, 8\)"),
        (np.ones((8, 5), np.float32), None, r"shape=\(8, 5\)"),
        (np.ones((0, 8, 5), np.float32), None, r"at least one gene. .*shape=\(0, 8, 5\)"),
        (np.ones((2, 8, 5), np.int64), None, r"dtype=int64. Convert it"),
        (np.full((2, 8, 5), "3"), None, "dtype=<U1"),
        (np.full((2, 8, 5), np.nan), None, r"Received: nan \(gene 0, bin 0, mark H3K27me3"),
        (np.full((2, 8, 5), 1e300), None, "Received: inf"),
        (np.full((2, 8, 5), -0.5), None, r"not negative. Received: -0.5 .*fold change or -log10 p"),
        (np.ones((2, 8, 5)), MARKS[::-1], r"in this order.*marks=H3K9me3, H3K4me3"),
        (np.ones((2, 8, 5)), MARKS[:4], "Expected the marks H3K27me3"),
    ],
)
def test_refuses_what_the_model_does_not_expect(
    client: Any, signal: np.ndarray, marks: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        client.predict(signal, marks=marks)


def test_says_which_number_it_refuses(server: LocalServer, signal: np.ndarray) -> None:
    signal[4, 6, 3] = np.nan
    with Client(server.target, "tiny", batch_size=2) as client:
        with pytest.raises(InputError, match=r"nan \(gene 4, bin 6, mark H3K4me3"):
            client.predict(signal)
        with pytest.raises(InputError, match=r"nan \(gene ENSG4, bin 6, mark H3K4me3"):
            client.predict(Genes(np.array([f"ENSG{n}" for n in range(7)]), signal, MARKS))


def test_lists_of_numbers_do_as_well(client: Any, signal: np.ndarray) -> None:
    prediction = client.predict(signal.tolist())
    expected = client.predict(signal).probability
    np.testing.assert_allclose(prediction.probability, expected, atol=1e-6)


@pytest.mark.parametrize("limit", [{"timeout_s": 0}, {"batch_size": 0}, {"concurrency": 0}])
@pytest.mark.parametrize("client_class", [Client, RestClient])
def test_refuses_limits_that_allow_nothing(limit: dict[str, int], client_class: Any) -> None:
    with pytest.raises(InputError, match="Expected a positive number"):
        client_class("localhost:8500", "tiny", **limit)


def test_refuses_a_version_with_a_label() -> None:
    with pytest.raises(InputError, match="Received both: version=3, label=stable"):
        Client("localhost:8500", "tiny", 3, label="stable")


# === Ensembles ===


@pytest.fixture(scope="module")
def ensemble_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """`pair`, which has two members; `liar`, which forgets the last bin; `additive`."""
    folder = tmp_path_factory.mktemp("ensemble")
    save_describing(folder / "pair" / "1", members=2)
    save_describing(folder / "liar" / "1", members=2, kept=slice(-1))
    save_describing(folder / "additive" / "1", variant="additive_chrome")
    with LocalServer(folder, rest_port=0) as server:
        yield server


def test_ensemble_says_how_far_its_members_differ(
    open_client: OpenClient, ensemble_server: LocalServer
) -> None:
    signal = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    with open_client("pair", at=ensemble_server, batch_size=3) as client:
        assert client.description.is_ensemble
        prediction = client.predict(signal)
    np.testing.assert_allclose(prediction.probability_sd, [0.1] * 4)
    np.testing.assert_array_equal(prediction.alpha, signal.transpose(0, 2, 1))
    np.testing.assert_array_equal(prediction.alpha_sd, signal.transpose(0, 2, 1) + 1)
    np.testing.assert_array_equal(prediction.beta_sd, np.full((4, 2), 0.25))


def test_additive_model_says_what_each_bin_contributes(
    open_client: OpenClient, ensemble_server: LocalServer
) -> None:
    signal = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    with open_client("additive", at=ensemble_server, batch_size=3) as client:
        prediction = client.predict(signal)
        assert client.predict(signal, attention=False).contribution is None
    np.testing.assert_array_equal(prediction.contribution, signal.transpose(0, 2, 1) - 3)
    with open_client("pair", at=ensemble_server) as client:
        assert client.predict(signal).contribution is None


def test_answers_of_an_ensemble_keep_to_the_limit(ensemble_server: LocalServer) -> None:
    # A gene takes 4 * (2 * (2 * 3 + 2 + 1) + 2 * 3) = 96 bytes.
    with Client(ensemble_server.target, "pair", max_message_bytes=4096 + 4 * 96) as client:
        parts = list(client.predict_stream(np.ones((9, 3, 2), np.float32)))
    assert [len(part.probability) for part in parts] == [4, 4, 1]


def test_refuses_an_answer_of_another_shape(
    open_client: OpenClient, ensemble_server: LocalServer
) -> None:
    with (
        open_client("liar", at=ensemble_server) as client,
        pytest.raises(ServerError, match=r"of shape \(3, 2, 3\) from model liar.*\(3, 2, 2\)"),
    ):
        client.predict(np.ones((3, 3, 2), np.float32))


# === Imports ===


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("serving.client", ("tensorflow", "pandas", "requests", "tqdm", "xarray")),
        ("serving.rest_client", ("tensorflow", "pandas")),
        ("serving.local", ("tensorflow",)),
    ],
)
def test_imports_are_light(module: str, absent: tuple[str, ...]) -> None:
    absent = (*absent, "keras_chrome", "tfds_remc", "export")
    code = f"import sys, {module}; print(*{set(absent)!r} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.split() == []


def test_asking_over_rest_needs_no_tensorflow(server: LocalServer) -> None:
    code = (
        "import sys, numpy; from serving.rest_client import RestClient; "
        f"client = RestClient({server.rest_url!r}, 'tiny'); "
        "print(client.predict(numpy.ones((2, 8, 5))).probability); "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_asks_for_what_is_not_served_is_told_what_is(kind: str, open_client: Any) -> None:
    served = {"rest": "It has loaded foreign 1, tiny 3, tiny 12"}.get(
        kind, r"It serves foreign 1; tiny 3 \(stable\), 12 \(canary\)"
    )
    for model, options in (("tinny", {}), ("tiny", {"version": 4}), ("tiny", {"label": "new"})):
        with (
            open_client(model, **options) as client,
            pytest.raises(ServerError, match=rf"model={model}. Received: .*\. {served}$"),
        ):
            client.predict(np.ones((1, 8, 5), np.float32))


def test_a_server_without_words_of_its_own_tells_the_versions(
    kind: str, open_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As TensorFlow Serving, whose refusals hold nothing beside."""
    if kind == "rest":
        pytest.skip("it tells what it has loaded, with its metrics")
    monkeypatch.setattr("serving.grpc_messages.SERVED_KEY", "nothing")
    for options in ({"version": 4}, {"label": "new"}):
        with (
            open_client("tiny", **options) as client,
            pytest.raises(ServerError, match=r"It serves tiny 3, 12$"),
        ):
            client.predict(np.ones((1, 8, 5), np.float32))
    with (
        open_client("tinny") as client,
        pytest.raises(ServerError, match=r"models\.config names the models that it serves$"),
    ):
        client.predict(np.ones((1, 8, 5), np.float32))
