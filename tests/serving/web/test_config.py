"""What the page is told to ask."""

from pathlib import Path

import pytest

from serving.errors import InputError
from serving.web.config import ServedModel, WebConfig, find_model, read_served_models


def test_limits_are_positive() -> None:
    for wrong in ({"timeout_s": 0}, {"max_genes": -1}, {"max_upload_mb": 0}):
        with pytest.raises(InputError, match="Expected a positive number"):
            WebConfig(models=("tiny",), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="names of models, a models"):
        WebConfig()


def test_models_and_their_labels_come_from_the_servers_own_file(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.write_text(
        """
        model_config_list {
          config {
            name: "e012" base_path: "/models/e012" model_platform: "tensorflow"
            model_version_policy { specific { versions: 1 versions: 2 } }
            version_labels { key: "canary" value: 2 }
            version_labels { key: "stable" value: 1 }
          }
          config { name: "e003" base_path: "/models/e003" model_platform: "tensorflow" }
        }
        """
    )
    models = read_served_models(path)
    assert [model.key for model in models] == ["e012:stable", "e012:canary", "e003"]
    assert [model.text for model in models] == ["e012 (stable)", "e012 (canary)", "e003"]
    assert find_model(models, "e012:canary") == ServedModel("e012", "canary")
    assert find_model(models, "e012") == ServedModel("e012", "stable")
    with pytest.raises(InputError, match=r"one of the models e012:stable.*Received: model=e0$"):
        find_model(models, "e0")


@pytest.mark.parametrize("text", ["", "custom_model_config {}", "no such thing", "\x00"])
def test_a_file_that_names_no_model_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.config"
    path.write_text(text)
    with pytest.raises(InputError, match=r"Expected a .*Received: .*models\.config"):
        read_served_models(path)


def test_a_name_is_offered_once() -> None:
    models = WebConfig(models=("a", "b", "a")).offered_models()
    assert models == [ServedModel("a"), ServedModel("b")]
