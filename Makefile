.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# each process has a broker and a PostgreSQL of its own; the last tests go to whoever is free
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.PHONY: help setup up demo test unit integration acceptance faults-quick faults faults-loop fuzz lab check bench docs lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/installed  ## install everything into .venv, from the lock file with hashes

.venv/installed: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (about half a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

up: setup  ## run the whole service on embedded defaults (Ctrl-C stops it)
	@$(BIN)/opssage up

demo: setup  ## run the service on recorded outages and print their diagnoses
	@$(BIN)/opssage demo

test: check unit integration acceptance faults-quick  ## everything CI runs

unit: setup  ## tests without processes or network
	@$(PYTEST) tests/unit -q $(PARALLEL)

integration: setup  ## tests on a real broker, SQLite and PostgreSQL
	@$(PYTEST) tests/integration -q $(PARALLEL)

acceptance: setup  ## tests on the real processes: webhook in, diagnosis out
	@$(PYTEST) tests/acceptance -q -m "not lab"

faults-quick: setup  ## some faults on the real processes: kills, a lost message, a dead broker
	@FAULTS_LOAD_SECONDS=4 $(PYTEST) tests/faults -q -m quick $(PARALLEL)

faults: setup  ## the whole fault matrix (up to 25 minutes); writes docs/reliability-report.md
	@FAULTS_LOAD_SECONDS=7 FAULTS_REPORT=docs/reliability-report.md $(PYTEST) tests/faults -v

faults-loop: setup  ## random kills for five minutes: make faults-loop SECONDS=300 SEED=7
	@FAULTS_LOOP_SECONDS=$(or $(SECONDS),300) FAULTS_LOOP_SEED=$(SEED) $(PYTEST) tests/faults -s -v -k T31

fuzz: setup  ## made-up requests for minutes: make fuzz SECONDS=300 SEED=7
	@FUZZ_SECONDS=$(or $(SECONDS),300) FUZZ_SEED=$(SEED) $(PYTEST) tests/integration/test_openapi_fuzz.py \
		-s -v --timeout 7200

lab: setup  ## opt-in: real Prometheus and Alertmanager from Debian's packages
	@$(PYTEST) tests/acceptance -q -m lab

check: setup  ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

bench: setup  ## the benchmarks, each against its floor in the same run; fails when a bar is missed
	@failed=0; for name in ingest pipeline reads; do \
		$(BIN)/python benchmarks/$$name.py || failed=1; done; exit $$failed

docs: setup  ## write the generated parts of docs/
	@$(BIN)/python docs/generate.py

lock: .venv/installed  ## resolve the lock files anew: everything, and what the image needs
	@$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --extra postgres-embedded \
		--group tests --group checks --group lock --generate-hashes --universal \
		--python-version 3.11 --custom-compile-command "make lock" --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet pyproject.toml --group build --constraints requirements.lock \
		--generate-hashes --universal --python-version 3.11 \
		--custom-compile-command "make lock" --output-file requirements-runtime.lock

clean:  ## remove .venv, caches and local data
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache data
