from pathlib import Path

from harness import Outcome, check, damaged, fuzz

from export.models_config import read_models_config
from serving.models_config import read_models

WHOLE = b"""# Written anew
model_config_list {
  config {
    name: "e012"
    base_path: "/models/e012"
    model_platform: "tensorflow"
    model_version_policy { all { } }
    version_labels { key: "stable" value: 1 }
  }
}
"""


def read(path: Path) -> object:
    return read_models(path), read_models_config(path.parent)


@fuzz(damaged(WHOLE))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "models.config"
    path.write_bytes(content)
    return check(read, path)
