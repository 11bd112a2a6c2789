# All commands: datasets, training, explanation, export, clients, the web page. As an ordinary user,
# in /work.
#
#   docker build -t keras-chrome .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" keras-chrome demo
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" keras-chrome \
#       python -m keras_chrome.fit --dataset remc/demo --data-dir demo/data --run-dir runs/demo
#
# On a GPU, with NVIDIA's container toolkit on the host:
#
#   docker build -t keras-chrome:gpu --build-arg EXTRAS=web,tensorboard,gpu .
#   docker run --gpus all --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" keras-chrome:gpu demo
#
# Tried by buildah and without Docker, on a bare Debian 12 in place of the base image; the variant for
# a GPU was not tried. The server for work is another image: serving/container.

# The Python that the versions of constraints.txt are tested on.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS installed
ARG EXTRAS=web,tensorboard
RUN python -m venv /opt/venv
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY keras_chrome keras_chrome
COPY tfds_remc tfds_remc
COPY export export
COPY serving serving
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
    -c constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}
# make has the commands of the demo; tini, as first process, hands signals on.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends make tini \
    && rm -rf /var/lib/apt/lists/*
COPY --from=installed /opt/venv /opt/venv
COPY --chmod=0444 Makefile /opt/
# The demo of the Makefile, with what is installed here.
RUN printf '#!/bin/sh\nexec %s "$@"\n' \
        'make --file=/opt/Makefile --old-file=.venv/installed BIN=/opt/venv/bin demo' \
        >/usr/local/bin/demo \
    && chmod 0555 /usr/local/bin/demo \
    && install -d -o 10001 -g 10001 /work
# Whoever `--user` names has no home, and Keras and Matplotlib keep a file in one.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["tini", "--"]
CMD ["keras-chrome"]
