"""Runs that are trainings of one network, and networks that have learned nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.runs import open_run
from keras_chrome.runs.trainings import group_trainings, networks, untrained_model


def copied(run: Path, name: str, **options: Any) -> Path:
    """The run as if it had been made with other options."""
    path = run.with_name(name)
    shutil.copytree(run, path)
    config = json.loads((path / "config.json").read_text())
    config["options"] |= options
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_runs_that_differ_in_their_seed_are_trainings_of_one_network(cnn_run_path: Path) -> None:
    other_seed = copied(cnn_run_path, "seed-1", seed=1, data_dir="elsewhere")
    permuted = copied(cnn_run_path, "permuted", permute_labels=True)
    other_rate = copied(cnn_run_path, "rate", learning_rate=0.5)
    groups = group_trainings([permuted, cnn_run_path, other_rate, cnn_run_path, other_seed])
    assert [[run.path for run in group.trained] for group in groups] == [
        [cnn_run_path, other_seed],
        [other_rate],
    ]
    assert [[run.path for run in group.permuted] for group in groups] == [[permuted], []]
    assert groups[0].first.path == cnn_run_path


def test_imported_weights_have_no_other_training(cnn_run_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        path = copied(cnn_run_path, name)
        config = json.loads((path / "config.json").read_text())
        del config["dataset"]["name"]
        (path / "config.json").write_text(json.dumps(config))
        paths.append(path)
    assert [len(group.trained) for group in group_trainings(paths)] == [1, 1]


def test_what_cannot_be_held_beside_each_other_is_refused(cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match=r"trainings of other seeds.*both of seed 0"):
        group_trainings([cnn_run_path, copied(cnn_run_path, "again")])
    with pytest.raises(InputError, match=r"labels as they are.*permuted alone"):
        group_trainings([copied(cnn_run_path, "permuted", permute_labels=True)])


def test_untrained_networks_differ_and_come_again(cnn_run_path: Path) -> None:
    run = open_run(cnn_run_path)
    first, again, other = (untrained_model(run, seed=seed) for seed in (0, 0, 1))
    for one, two, three in zip(*(m.get_weights() for m in (first, again, other)), strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.ndim == 1 or not np.array_equal(one, three)
    trained = run.load_model()
    # The scale of the signal is no weight that is learned.
    transforms = [m.get_layer("signal_transform").get_config() for m in (first, trained)]
    assert transforms[0] == transforms[1]
    assert [w.shape for w in first.get_weights()] == [w.shape for w in trained.get_weights()]


def test_networks_come_in_the_order_of_what_they_learned(cnn_run_path: Path) -> None:
    paths = [cnn_run_path, copied(cnn_run_path, "permuted", permute_labels=True)]
    (trainings,) = group_trainings(paths)
    found = list(networks(trainings, num_untrained=2))
    assert [network.kind for network in found] == [
        "trained",
        "permuted_labels",
        "untrained",
        "untrained",
    ]
    # The copy has the weights of the run.
    for weights in zip(found[0].weights, found[1].weights, strict=True):
        np.testing.assert_array_equal(*weights)
    assert not np.array_equal(found[2].weights[0], found[3].weights[0])
