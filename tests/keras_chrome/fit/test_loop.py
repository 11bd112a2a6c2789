"""One training step, and the order of the genes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.data import Genes
from keras_chrome.fit.loop import epoch_of_batches
from keras_chrome.fit.trainer import ShardedTrainer
from keras_chrome.models import build_model, logit_model

MARKS = ("H3K4me3", "H3K27me3")


def random_genes(num_genes: int) -> Genes:
    rng = np.random.default_rng(0)
    text = np.full(num_genes, "")
    return Genes(
        split="train",
        signal=rng.poisson(3, (num_genes, 6, 2)).astype(np.float32),
        label=rng.integers(0, 2, num_genes).astype(np.int8),
        gene_id=text,
        symbol=text,
        transcript_id=text,
        chrom=text,
        tss=np.arange(num_genes),
        strand=text,
        rpkm=np.zeros(num_genes, np.float32),
        oriented=np.zeros(num_genes, bool),
        epigenome=np.full(num_genes, "E"),
        num_unlabelled=0,
    )


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_a_step_is_that_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    keras.utils.set_random_seed(0)
    trainee = logit_model(build_model("lstm_attn", marks=MARKS, num_bins=6, bin_units=3))
    genes = random_genes(32)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        expected_loss = loss(genes.label[:, None], trainee(genes.signal))
    gradients = tape.gradient(expected_loss, trainee.trainable_variables)
    expected = [v.numpy() - 0.5 * g for v, g in zip(trainee.weights, gradients, strict=True)]

    trainer = ShardedTrainer(trainee)
    # Plain gradient descent: Adam would hide a gradient that is too large.
    trainer.compile(keras.optimizers.SGD(0.5), loss, jit_compile=False)
    batches = epoch_of_batches((genes.signal, genes.label), 32, 0, tf.Variable(0, dtype=tf.int64))
    history = trainer.fit(batches, verbose=0, shuffle=False).history

    assert history["loss"][0] == pytest.approx(float(expected_loss), rel=1e-5)
    for weight, value in zip(trainee.get_weights(), expected, strict=True):
        np.testing.assert_allclose(weight, value, atol=1e-6)


def test_every_epoch_has_its_own_order_and_each_gene_at_most_once() -> None:
    genes = random_genes(37)
    epoch = tf.Variable(0, dtype=tf.int64)
    batches = epoch_of_batches((genes.signal, genes.label), 8, 5, epoch)

    def order() -> list[bytes]:
        return [gene.tobytes() for signal, _ in batches for gene in signal.numpy()]

    first = order()
    assert order() == first
    epoch.assign(1)
    second = order()
    assert second != first
    assert len(first) == len(second) == 32
    known = {gene.tobytes() for gene in genes.signal}
    assert len(known) == 37
    assert set(first) <= known
    assert len(set(first)) == 32


def test_labels_stay_with_their_genes() -> None:
    genes = random_genes(24)
    label_of = {s.tobytes(): y for s, y in zip(genes.signal, genes.label, strict=True)}
    for signal, label in epoch_of_batches(
        (genes.signal, genes.label), 8, 0, tf.Variable(3, dtype=tf.int64)
    ):
        for gene, value in zip(signal.numpy(), label.numpy(), strict=True):
            assert value == [label_of[gene.tobytes()]]
