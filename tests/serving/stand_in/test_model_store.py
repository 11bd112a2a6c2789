"""Which versions answer: by folder, policy and label, and as the server is told to reload."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asking import Asking, wait_until
from tensorflow_serving.apis import get_model_status_pb2

from serving.local import LocalServer
from serving.stand_in import model_store

pytestmark = pytest.mark.serving


@pytest.fixture
def models_dir(tmp_path: Path, make_version: Any) -> Path:
    """Versions 1 and 2 of `adder`, which add 1 and 2."""
    for number in (1, 2):
        make_version(tmp_path / "models/adder" / str(number), number)
    return tmp_path / "models"


@pytest.fixture
def server(models_dir: Path) -> Iterator[LocalServer]:
    with LocalServer(models_dir, poll_wait_s=0.02) as server:
        yield server


@pytest.fixture
def asking(server: LocalServer) -> Iterator[Asking]:
    with Asking(server.target) as asking:
        yield asking


def config(*models: str) -> str:
    return "model_config_list {" + "".join(f"config {{ {model} }}" for model in models) + "}"


ADDER = 'name: "adder" base_path: "/models/adder" model_platform: "tensorflow" '
ALL = ADDER + "model_version_policy { all {} } "


def appear(path: Path, make_version: Any, number: float) -> None:
    """A version that appears in one step, as an export makes it."""
    make_version(path.parent.parent / f".{path.name}", number).rename(path)


def test_the_highest_version_answers_until_a_higher_one_appears(
    models_dir: Path, server: LocalServer, asking: Asking, make_version: Any
) -> None:
    assert asking.answer("adder") == [2]
    assert asking.states("adder") == {2: "AVAILABLE"}
    appear(models_dir / "adder/10", make_version, 10)
    wait_until(lambda: server.models == {"adder": [10]})
    assert asking.answer("adder") == [10]
    assert asking.states("adder") == {10: "AVAILABLE", 2: "END"}
    code, text = asking.fails(lambda: asking.answer("adder", version=2))
    assert (code, text) == (
        "NOT_FOUND",
        "Servable not found for request: Specific(adder, 2)",
    )


def test_somebody_is_always_there_while_versions_change(
    models_dir: Path, server: LocalServer, asking: Asking, make_version: Any
) -> None:
    for number in range(3, 7):
        appear(models_dir / f"adder/{number}", make_version, number)
        while server.models["adder"] != [number]:
            # Only versions that are whole ever answer, and never none.
            assert asking.answer("adder") in ([number - 1], [number])


@pytest.mark.parametrize("fault", ["empty", "cut short", "no variables", "no graph"])
def test_a_broken_version_leaves_the_old_one_serving(
    models_dir: Path, server: LocalServer, asking: Asking, make_version: Any, fault: str
) -> None:
    broken = models_dir / "adder/.new"
    make_version(broken, 3)
    if fault == "empty":
        shutil.rmtree(broken)
        broken.mkdir()
    elif fault == "cut short":
        text = (broken / "saved_model.pb").read_bytes()
        (broken / "saved_model.pb").write_bytes(text[: len(text) // 2])
    elif fault == "no variables":
        shutil.rmtree(broken / "variables")
    else:
        (broken / "saved_model.pb").write_bytes(b"")
    broken.rename(models_dir / "adder/3")
    wait_until(lambda: asking.states("adder").get(3) == "LOADING")
    assert asking.answer("adder") == [2]
    # Put right, it takes over.
    shutil.rmtree(models_dir / "adder/3")
    wait_until(lambda: bool(asking.answer("adder") == [2]))
    appear(models_dir / "adder/4", make_version, 4)
    wait_until(lambda: server.models == {"adder": [4]})


def test_a_version_that_is_tried_again_is_loading_until_no_more_tries_are_left(
    models_dir: Path, server: LocalServer, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong is told then."""

    def status_of(version: int) -> Any:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "adder"
        request.model_spec.version.value = version
        (status,) = asking.models.GetModelStatus(request).model_version_status
        return status.state, status.status.error_code, status.status.error_message

    states = get_model_status_pb2.ModelVersionStatus
    (models_dir / "adder/3").mkdir()
    wait_until(lambda: asking.states("adder").get(3) == "LOADING")
    wait_until(lambda: server._models.failures() != {})
    assert status_of(3) == (states.LOADING, 0, "")
    monkeypatch.setattr(model_store, "_RETRY_S", 0.0)
    server._models._versions["adder"][3].retry_at_s = 0.0
    wait_until(lambda: asking.states("adder").get(3) == "END")
    state, code, message = status_of(3)
    assert (state, code) == (states.END, 2)
    assert "No such file" in message
    assert server._models._versions["adder"][3].num_loads == 6


def test_a_folder_that_goes_away_does_not_take_its_model_along(
    models_dir: Path, server: LocalServer, asking: Asking, make_version: Any
) -> None:
    """A file system may be away for a moment; TensorFlow Serving keeps what it has loaded too."""
    # In one step: its versions would go one after the other.
    (models_dir / "adder").rename(models_dir / ".adder")
    (models_dir / "other").mkdir()
    appear(models_dir / "other/1", make_version, 7)
    wait_until(lambda: server.models.get("other") == [1])
    assert asking.answer("adder") == [2]
    shutil.rmtree(models_dir)
    with pytest.raises(AssertionError):
        wait_until(lambda: server.models != {"adder": [2], "other": [1]}, timeout_s=0.3)
    assert asking.answer("other") == [7]


def test_a_version_that_is_deleted_is_unloaded(
    models_dir: Path, server: LocalServer, asking: Asking
) -> None:
    shutil.rmtree(models_dir / "adder/2")
    wait_until(lambda: server.models == {"adder": [1]})
    assert asking.answer("adder") == [1]
    shutil.rmtree(models_dir / "adder/1")
    wait_until(lambda: server.models == {})
    assert asking.fails(lambda: asking.answer("adder"))[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", [3]),
        ("latest {}", [3]),
        ("latest { num_versions: 2 }", [2, 3]),
        ("all {}", [1, 2, 3]),
        ("specific { versions: 1 versions: 3 versions: 9 }", [1, 3]),
    ],
)
def test_policies(
    models_dir: Path, tmp_path: Path, make_version: Any, policy: str, versions: list[int]
) -> None:
    make_version(models_dir / "adder/3", 3)
    file = tmp_path / "models.config"
    file.write_text(config(ADDER + (f"model_version_policy {{ {policy} }}" if policy else "")))
    with LocalServer(models_dir, models_config=file) as server, Asking(server.target) as asking:
        assert server.models == {"adder": versions}
        assert asking.answer("adder") == [3]
        assert asking.answer("adder", version=versions[0]) == [versions[0]]


def test_labels_move_from_version_to_version(
    models_dir: Path, tmp_path: Path, make_version: Any
) -> None:
    def labels(stable: int, canary: int) -> str:
        pairs = {"stable": stable, "canary": canary}.items()
        return config(
            ALL + "".join(f'version_labels {{ key: "{k}" value: {v} }}' for k, v in pairs)
        )

    file = tmp_path / "models.config"
    file.write_text(labels(1, 2))
    with (
        LocalServer(models_dir, models_config=file, poll_wait_s=0.02) as server,
        Asking(server.target) as asking,
    ):
        assert asking.answer("adder", label="stable") == [1]
        assert asking.answer("adder", label="canary") == [2]
        assert asking.fails(lambda: asking.answer("adder", label="newest")) == (
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: newest",
        )
        # The file is read again and again; a label waits for the version it moves to.
        file.write_text(labels(2, 3))
        assert asking.answer("adder", label="canary") == [2]
        appear(models_dir / "adder/3", make_version, 3)
        wait_until(lambda: bool(asking.answer("adder", label="canary") == [3]))
        assert asking.answer("adder", label="stable") == [2]


def test_reloads_as_it_is_told(models_dir: Path, tmp_path: Path, make_version: Any) -> None:
    make_version(models_dir / "other/5", 5)
    file = tmp_path / "models.config"
    file.write_text(config(ADDER))
    other = 'name: "other" base_path: "/models/other" model_platform: "tensorflow"'
    with (
        LocalServer(models_dir, models_config=file, poll_wait_s=0.02) as server,
        Asking(server.target) as asking,
    ):
        asking.reload(config(ADDER, other))
        # The reply comes when the new model answers.
        assert asking.answer("other") == [5]
        asking.reload(config(other))
        assert server.models == {"other": [5]}
        assert asking.states("adder") == {2: "END"}
        # The file does not take back what it was told: the server has looked again here.
        appear(models_dir / "other/6", make_version, 6)
        wait_until(lambda: server.models == {"other": [6]})
        # Until it says something new itself.
        file.write_text(config(ALL))
        wait_until(lambda: server.models == {"adder": [1, 2]})


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (config(ADDER.replace('"adder"', '"../x"')), "Illegal name"),
        (config(ADDER.replace('"adder"', '""')), "Illegal name"),
        (config(ADDER.replace("/models/adder", "/models/../secret")), "to lie in the folder of"),
        (config(ADDER.replace("/models/adder", "/etc")), "to lie in the folder of models"),
    ],
)
def test_refuses_what_it_alone_refuses_and_goes_on(asking: Asking, wanted: str, text: str) -> None:
    """Words of TensorFlow Serving: `test_words.py`."""
    code, received = asking.fails(lambda: asking.reload(wanted))
    assert code == "INVALID_ARGUMENT"
    assert text in received
    assert asking.answer("adder") == [2]


@pytest.mark.timeout(120)
def test_a_reload_waits_for_the_folder_of_a_new_model(
    models_dir: Path, server: LocalServer, asking: Asking, make_version: Any
) -> None:
    """As TensorFlow Serving does, until the client gives up."""
    other = 'name: "other" base_path: "/models/other" model_platform: "tensorflow"'
    code, _ = asking.fails(lambda: asking.reload(config(ADDER, other), timeout_s=0.3))
    assert code == "DEADLINE_EXCEEDED"
    # Later ones do not wait for that one, as they do there.
    asking.reload(config(ADDER))
    with ThreadPoolExecutor(1) as threads:
        reloading = threads.submit(asking.reload, config(ADDER, other))
        wait_until(lambda: server._models.known("other") == "other")
        assert not reloading.done()
        assert asking.answer("adder") == [2]
        (models_dir / "other").mkdir()
        appear(models_dir / "other/1", make_version, 7)
        reloading.result()
    assert asking.answer("other") == [7]


def test_a_reload_says_which_new_model_cannot_be_loaded(
    models_dir: Path, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_store, "_RETRY_S", 0.0)
    (models_dir / "other/5").mkdir(parents=True)
    other = 'name: "other" base_path: "/models/other" model_platform: "tensorflow"'
    code, text = asking.fails(lambda: asking.reload(config(ADDER, other)))
    assert code == "UNKNOWN"
    assert text.startswith(
        "1 model(s) did not become available: {{{name: other version: 5} due to error: UNKNOWN: "
    )
    assert text.endswith("}, }")
    assert asking.answer("adder") == [2]


def test_takes_the_platform_by_its_old_name(asking: Asking) -> None:
    asking.reload(config('name: "adder" base_path: "/models/adder" model_type: TENSORFLOW'))
    assert asking.answer("adder") == [2]


@pytest.mark.parametrize("name", ["../adder", "adder/2", "/etc/passwd", "adder\0", "a" * 5000])
def test_a_path_for_a_name_is_no_model(asking: Asking, name: str) -> None:
    code, text = asking.fails(lambda: asking.answer(name))
    assert code == "NOT_FOUND"
    assert text.startswith("Servable not found for request: Latest(")
    assert asking.fails(lambda: asking.states(name))[0] == "NOT_FOUND"


def test_a_file_with_a_fault_changes_nothing(models_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text(config(ADDER))
    with (
        LocalServer(models_dir, models_config=file, poll_wait_s=0.02) as server,
        Asking(server.target) as asking,
    ):
        file.write_text("model_config_list {")
        with pytest.raises(AssertionError):
            wait_until(lambda: server.models != {"adder": [2]}, timeout_s=0.3)
        file.write_text(config(ALL))
        wait_until(lambda: server.models == {"adder": [1, 2]})
        assert asking.answer("adder") == [2]


def test_a_folder_that_is_away_is_told_of_once_and_unloads_nothing(
    models_dir: Path, server: LocalServer, asking: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    folder, away = models_dir / "adder", models_dir / ".away"
    for number in (1, 2):
        folder.rename(away)
        wait_until(lambda number=number: len(caplog.messages) == number)
        with pytest.raises(AssertionError):
            wait_until(lambda number=number: len(caplog.messages) > number, timeout_s=0.3)
        assert asking.answer("adder") == [2]
        away.rename(folder)
        wait_until(lambda: not server._models._away)
    where = f"{folder} for adder (No such file or directory)"
    assert caplog.messages == [f"Could not find base path {where}"] * 2
