"""A web page that asks a served model, for people who do not write clients.

    python -m serving.web --target localhost:8500 --models e012 --dataset remc/E012 --data-dir data

- `serving.web.app`: the pages, as a Starlette application.
- `serving.web.figure`: a gene as a drawing: signal, alpha and beta.

The page itself talks to nobody but this server, and this server only to TensorFlow Serving.
"""
