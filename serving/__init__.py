"""Asking an exported model, and serving it.

- `serving.client`: `Client`, and a command that predicts the genes of a file; `serving.rest_client`
  asks over REST.
- `serving.local`: `LocalServer`, a local stand-in for TensorFlow Serving.
- `serving.web`: a web page.
- `serving/container`: TensorFlow Serving itself, in a container.

Nothing here imports the package that trains the model: a SavedModel says all that is needed.
"""
