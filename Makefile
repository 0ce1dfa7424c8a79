# `make study` runs the default study, `make test` runs the tests; both set up .venv first.
PYTHON ?= python3
CORES ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count())')
GPUS ?= 1
VENV := .venv
BIN := $(VENV)/bin

.PHONY: study environment explain test check schema reference envs rulegraph clean-environment

study: $(VENV)/study.stamp
	$(BIN)/snakemake --cores $(CORES) --resources gpu=$(GPUS)
	@echo "The report: file://$(CURDIR)/results/report.html"

# Set up .venv only.
environment: $(VENV)/study.stamp

# Explain what would run and why; ARGS go to snakemake (ARGS="cpu --configfile my-study.yaml").
explain: $(VENV)/study.stamp
	@$(BIN)/snakemake --dry-run $(ARGS) 2>&1 | $(BIN)/python -m actrepro.provenance.explain

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses=$(CORES)

# Linters and type checks; CI runs these and the tests.
check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

schema: $(VENV)/study.stamp
	$(BIN)/python -m actrepro.audit.config > config/schema.json
	$(BIN)/python -m actrepro.results.schema > resources/stats.schema.json

# Generate docs/reference from the same types and the tables' columns.
reference: $(VENV)/study.stamp
	$(BIN)/python tools/reference.py

# Generate the conda environments from requirements.txt and the scripts' imports.
envs: $(VENV)/study.stamp
	$(BIN)/python tools/environments.py

# Redraw the README's diagram of the rules.
rulegraph: $(VENV)/study.stamp
	$(BIN)/python tools/rulegraph.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"actrepro needs Python 3.11 or newer, found " + sys.version.split()[0] + \
	"; name another with make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/study.stamp: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt $(VENV)/study.stamp
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements-dev.txt
	@touch $@

clean-environment:
	rm -rf $(VENV)
