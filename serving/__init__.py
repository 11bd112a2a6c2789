"""Asking an exported model over gRPC, and a local stand-in for TensorFlow Serving.

- `serving.client`: `Client`, and a command that predicts the genes of a file.
- `serving.local`: `LocalServer`, the stand-in, for tests and trying out.
- `serving/compose.yaml`: the official TensorFlow Serving container.

Nothing here imports the package that trains the model: a SavedModel says all that is needed.
"""
