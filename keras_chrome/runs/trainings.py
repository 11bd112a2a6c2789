"""A run beside its other trainings, and beside networks that have learned nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.runs.config import LOCAL_OPTIONS
from keras_chrome.runs.run import Run, open_run

if TYPE_CHECKING:
    import keras

NETWORKS = ("trained", "permuted_labels", "untrained")
"""What a network has learned: its task, a task of shuffled labels, nothing."""

# Of one network and of several.
_COUNTED = {
    "trained": ("training", "trainings"),
    "permuted_labels": ("on shuffled labels",) * 2,
    "untrained": ("untrained",) * 2,
}

# Far from the seeds that people train with: no network starts from the weights of another.
_FIRST_UNTRAINED_SEED = 1_000_000
_FREE = LOCAL_OPTIONS | {"dataset", "marks", "seed", "permute_labels"}


@dataclass(frozen=True)
class Trainings:
    """Runs that are alike in all but their seed, and in whether labels were shuffled.

    Attributes:
        trained: Those on the labels as they are, one or more; what they are all asked about are
            the genes of the first.
        permuted: Those on shuffled labels, which had nothing to learn.
    """

    trained: tuple[Run, ...]
    permuted: tuple[Run, ...] = ()

    @property
    def first(self) -> Run:
        """The run that the others are held beside."""
        return self.trained[0]


class Network(NamedTuple):
    """One of the networks that are held beside each other.

    Attributes:
        kind: One of `NETWORKS`.
        weights: As `keras.Model.get_weights` gives them.
    """

    kind: str
    weights: list[np.ndarray]


def counted_networks(numbers: Mapping[str, int]) -> list[str]:
    """How many networks there are of each kind, in words.

    Args:
        numbers: By their kind, one of `NETWORKS`.

    Example:
        >>> counted_networks({"trained": 3, "untrained": 10})
        ['3 trainings', '10 untrained']
    """
    return [f"{number} {_COUNTED[kind][number > 1]}" for kind, number in numbers.items() if number]


def group_trainings(run_dirs: Iterable[str | Path]) -> list[Trainings]:
    """Put those runs together that are trainings of one network.

    They were trained on the same contents of a dataset with the same options, but for the seed and
    `permute_labels`. A run that is named twice counts once.

    Args:
        run_dirs: Run directories.

    Returns:
        The groups, in the order in which their first runs were named.

    Raises:
        InputError: If a run is missing, two of a group have the same seed, or the labels of all
            were shuffled.
    """
    runs = {run.path.resolve(): run for run in map(open_run, run_dirs)}
    groups: dict[str, list[Run]] = {}
    for run in runs.values():
        groups.setdefault(_alike(run), []).append(run)
    return [_trainings(group) for group in groups.values()]


def _alike(run: Run) -> str:
    """What the trainings of one network share, as text."""
    config = run.config
    if config.dataset is None:  # Imported weights have no other training.
        return str(run.path.resolve())
    options = {name: value for name, value in config.options.items() if name not in _FREE}
    # The weights are no part of the network's own, and members have options of their own.
    members = [
        (m.weight, m.model, {name: value for name, value in m.options.items() if name not in _FREE})
        for m in config.members
    ]
    shared = [config.model, config.marks, config.dataset.fingerprint, options, members]
    return json.dumps(shared, sort_keys=True)


def _trainings(runs: Sequence[Run]) -> Trainings:
    first_of: dict[tuple[bool, int | None], Run] = {}
    for run in runs:
        is_permuted = bool(run.config.options.get("permute_labels"))
        first = first_of.setdefault((is_permuted, run.config.seed), run)
        if first is not run:
            raise InputError(
                f"Expected trainings of other seeds. Received: {first.path} and {run.path}, both "
                f"of seed {run.config.seed}; name one of them"
            )
    trained = tuple(run for (is_permuted, _), run in first_of.items() if not is_permuted)
    permuted = tuple(run for (is_permuted, _), run in first_of.items() if is_permuted)
    if not trained:
        raise InputError(
            f"Expected a run on labels as they are, to hold those on shuffled ones beside. "
            f"Received: {permuted[0].path} alone, made with --permute-labels"
        )
    return Trainings(trained, permuted)


def networks(trainings: Trainings, *, num_untrained: int, seed: int = 0) -> Iterator[Network]:
    """The networks of a group, one after the other: trained ones, permuted ones, untrained ones.

    Args:
        trainings: Runs of networks.
        num_untrained: How many untrained ones to build, each with other random weights.
        seed: Seeds these.
    """
    for kind, runs in zip(NETWORKS, (trainings.trained, trainings.permuted), strict=False):
        for run in runs:
            model: Any = run.load_model()
            yield Network(kind, model.get_weights())
    for number in range(num_untrained):
        model = untrained_model(trainings.first, seed=seed + number)
        yield Network("untrained", model.get_weights())


def untrained_model(run: Run, *, seed: int = 0) -> keras.Model:
    """The network of a run as it might have been before training: with random weights.

    Args:
        run: A run of a network.
        seed: Seeds the weights, which are those of no training.
    """
    import keras

    keras.utils.set_random_seed(_FIRST_UNTRAINED_SEED + seed)
    # Of the run's own graph, which its variant may no longer build.
    return keras.models.clone_model(run.load_model())
