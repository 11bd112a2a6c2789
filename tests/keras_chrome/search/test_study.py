"""Which trial comes next, on scores that cost nothing."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest

from keras_chrome.fit.recipes import PLAIN
from keras_chrome.search.space import SPACE, draw
from keras_chrome.search.study import STATES, ask, best, ended, importances, open_study

VARIED = {name: SPACE[name] for name in ("learning_rate", "mixup", "schedule", "warmup")}
FIRST = {"learning_rate": 1e-3, "mixup": 0.0, "schedule": "constant"}


def score(options: Mapping[str, Any]) -> float:
    return -abs(float(options["learning_rate"]) - 0.002) - 1e-6 * float(options["mixup"])


def run(
    file: Path,
    number: int,
    *,
    seed: int = 0,
    breaks_in: int | None = None,
    fails_in: Collection[int] = (),
) -> list[Any]:
    """The trials of a study that goes on to a number of them, or breaks off in one."""
    study = open_study(file)
    while (done := len(ended(study))) < number:
        trial = ask(study, seed=seed, first=FIRST)
        options = draw(trial, VARIED, PLAIN)
        if done == breaks_in:
            break
        if done in fails_in:
            study.tell(trial, state=STATES["failed"])
        else:
            study.tell(trial, score(options))
    return [(trial.params, trial.value, trial.state) for trial in ended(study)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return run(tmp_path_factory.mktemp("study") / "journal", 16, fails_in=[3])


def test_the_first_trial_is_the_one_that_was_asked_for(whole: list[Any]) -> None:
    assert whole[0][0] == FIRST


def test_the_same_seed_makes_the_same_trials_and_another_others(
    whole: list[Any], tmp_path: Path
) -> None:
    assert run(tmp_path / "same", 16, fails_in=[3]) == whole
    other = run(tmp_path / "other", 4, seed=1)
    assert other[0][0] == whole[0][0]
    assert all(ours[0] != theirs[0] for ours, theirs in zip(whole[1:4], other[1:], strict=True))


def test_a_study_that_was_broken_off_goes_on_to_what_it_would_have_been(
    whole: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "broken"
    for trial in (0, 0, 2, 13):
        run(file, 16, breaks_in=trial, fails_in=[3])
    assert run(file, 16, fails_in=[3]) == whole
    assert len(open_study(file).trials) == 16 + 4


def test_a_search_finds_better_than_it_began_with(whole: list[Any]) -> None:
    scores = [value for _, value, state in whole if state == STATES["complete"]]
    # Ten trials are random; the last five know of them.
    assert max(scores[-5:]) > max(scores[:10]) > scores[0]


def test_the_best_is_the_first_of_the_complete_ones_that_are_best(tmp_path: Path) -> None:
    study = open_study(tmp_path / "journal")
    assert best(ended(study)) is None
    for value in (None, 0.7, 0.9, 0.9):
        trial = study.ask()
        if value is None:
            # Its last report is what Optuna takes for the value of a trial that was given up.
            trial.report(0.95, 3)
            study.tell(trial, state=STATES["pruned"])
        else:
            study.tell(trial, value)
    found = best(ended(study))
    assert found is not None
    assert found.number == 2


def test_what_is_worse_than_the_median_is_given_up_after_three_tenths(tmp_path: Path) -> None:
    study = open_study(tmp_path / "journal")

    def asked(reports: list[float]) -> list[bool]:
        trial = study.ask()
        answers = []
        for tenth, auroc in enumerate(reports, start=1):
            trial.report(auroc, tenth)
            answers.append(trial.should_prune())
        study.tell(trial, reports[-1])
        return answers

    # Nothing to be compared with before five are complete.
    for auroc in (0.5, 0.6, 0.7, 0.8, 0.9):
        assert not any(asked([auroc] * 10))
    assert asked([0.69] * 10)[:4] == [False, False, True, True]
    assert not any(asked([0.71] * 10))
    # The best so far counts, as it is what training keeps.
    assert not any(asked([0.85, *[0.5] * 9]))


def test_an_option_that_the_score_follows_is_the_important_one(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    run(file, 9)
    assert importances(open_study(file)) == {}
    run(file, 16)
    shares = importances(open_study(file))
    # The warm-up has no effect in the first trial.
    assert set(shares) == set(FIRST)
    assert shares["learning_rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_optuna_reads_the_journal(tmp_path: Path) -> None:
    run(tmp_path / "journal", 3)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal"))
    storage = optuna.storages.JournalStorage(backend)
    assert len(optuna.load_study(study_name=None, storage=storage).trials) == 3
