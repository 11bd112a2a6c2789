"""From a run directory to a SavedModel that TensorFlow Serving loads.

`python -m export RUN --to MODELS --name NAME`, or `export.export_run(run_dir, models_dir, name)`.
"""

from export.run import export_run

__all__ = ["export_run"]
