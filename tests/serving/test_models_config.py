from pathlib import Path

import pytest

from serving.errors import InputError
from serving.models_config import read_models, read_models_config


def test_models_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.write_text(
        'model_config_list { config { name: "b" base_path: "/models/b" } config { name: "a" } }'
    )
    assert [model.name for model in read_models(path)] == ["b", "a"]
    assert read_models(path)[0].base_path == "/models/b"


def test_a_server_may_be_told_to_serve_nothing_but_who_asks_may_not(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.write_text("model_config_list {}")
    assert not read_models_config(path).model_config_list.config
    with pytest.raises(InputError, match=r"models\.config, which names none. Write one: python"):
        read_models(path)


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    with pytest.raises(InputError, match=r"models\.config \(No such file or directory\)"):
        read_models_config(path)
    path.write_text("model_config_lst {}")
    with pytest.raises(InputError, match="Expected a ModelServerConfig in protobuf's text format"):
        read_models_config(path)
