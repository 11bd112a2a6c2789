# make demo: install, then run the whole main job on simulated genes, in some minutes.
# make test: what has to pass before a commit.
# make slow: the slow tests and, with KERAS_CHROME_REAL_DATA, those on real data.
# make fuzz: damaged files for every reader, or for READER=bigwig alone, for SECONDS=600 a reader.
# make docs: build the documentation into site/; python3 -m http.server -d site shows it.
# make bench: measure speed beside its peers, for about half an hour, and write docs/benchmarks.md.
PYTHON ?= python3
PORT ?= 8500
DATA ?= data
# Of Python 3.11; empty on another.
CONSTRAINTS ?= constraints.txt
BIN := .venv/bin
SECONDS ?= 600
GENE := SIM00000001914
# Without the sixth of the dataset, against which attention can then be held.
MARKS := H3K27me3 H3K36me3 H3K4me1 H3K4me3 H3K9me3
PYTEST := $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: install demo test slow fuzz docs bench clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(CONSTRAINTS:%=-c %) -e '.[test]'
	touch $@

demo: install
	rm -rf demo/run demo/models
	@printf '\n== 1. A dataset: 3,000 simulated genes\n'
	$(BIN)/python -m tfds_remc --config demo --data_dir demo/data
	@printf '\n== 2. Training\n'
	$(BIN)/python -m keras_chrome.fit --dataset remc/demo --data-dir demo/data --run-dir demo/run --epochs 12 \
	    --marks $(MARKS)
	@printf '\n== 3. Attention: of all test genes, and of one as a picture\n'
	$(BIN)/python -m keras_chrome.attend demo/run
	$(BIN)/python -m keras_chrome.attend demo/run --plot $(GENE)
	@printf '\n== 4. A SavedModel, served by the local stand-in for TensorFlow Serving and asked over gRPC\n'
	$(BIN)/python -m export demo/run --to demo/models --name demo
	@$(BIN)/python -m serving.local --models-dir demo/models --port $(PORT) >demo/server.log & \
	server=$$!; trap 'kill $$server 2>/dev/null; wait $$server' EXIT; \
	until grep -s . demo/server.log; do sleep 0.5; kill -0 $$server || exit 1; done; \
	$(BIN)/python -m serving.client --target localhost:$(PORT) --model demo \
	    --dataset remc/demo --data-dir demo/data --split test --out demo/served.csv
	@printf '\n== Done\n'
	@$(BIN)/python -m keras_chrome.evaluate demo/run
	@printf '%s\n' '' \
	    'demo/data/remc/demo/1.0.0         the dataset, with the planted truth' \
	    'demo/run                          the run: model, history, metrics, predictions' \
	    'demo/run/attention-test.nc        alpha and beta of every test gene' \
	    'demo/run/plots/simulated-1914.png one gene: signals, alpha, beta' \
	    'demo/models/demo/1                the SavedModel' \
	    'demo/served.csv                   what the server answered' \
	    '' \
	    'A web page for it: $(BIN)/python -m serving.local --models-dir demo/models &' \
	    '$(BIN)/python -m serving.web --models demo --dataset remc/demo --data-dir demo/data'

test: install
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(PYTEST)

slow: install
	$(PYTEST) -m "real_data or slow" --durations 25

# One after the other, and at the end a row a reader.
fuzz: install
	KERAS_CHROME_FUZZ_SECONDS=$(SECONDS) $(BIN)/pytest -q -m fuzz $(or $(READER:%=tests/fuzz/test_%.py),tests/fuzz)

# Without what mkdocs-material says of its own future.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Options for it: make bench BENCH='--skip accuracy'
bench: install
	$(BIN)/pip install --quiet --disable-pip-version-check $(CONSTRAINTS:%=-c %) -e '.[bench]'
	test -d $(DATA)/remc/E012 || $(BIN)/python -m tfds_remc --config E012 --data_dir $(DATA)
	$(BIN)/python benchmarks/speed.py --data-dir $(DATA) $(BENCH)

clean:
	rm -rf .venv demo site
