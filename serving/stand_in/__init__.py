"""The parts of the local stand-in for TensorFlow Serving; `serving.local` puts them together.

- `operations`: which SavedModels are safe to load.
- `servable`: one loaded version of a model.
- `batching`: many small requests as one run of the graph.
- `model_store`: which versions are loaded, by policy, label and folder; hot reload.
- `service`: what a request is answered, whichever way it came.
- `grpc_api`, `rest_api`: the two ways.
- `metrics`: what Prometheus reads.
"""
