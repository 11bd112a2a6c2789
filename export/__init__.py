"""From run directories to SavedModels that TensorFlow Serving loads, and to ONNX.

`python -m export RUN --models-dir MODELS --name NAME`, or
`export.export_run(run_dir, models_dir, name)`.
"""

from export.all_runs import export_all
from export.models_config import read_models_config, write_models_config
from export.run import export_run, export_runs

__all__ = [
    "export_all",
    "export_run",
    "export_runs",
    "read_models_config",
    "write_models_config",
]
