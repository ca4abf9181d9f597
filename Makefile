# Every target sets itself up; the second time is quick. What a machine needs: README.md, "What you need".
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two a processor, for end-to-end tests wait most of the time; each has a world of its own, hence eight at most.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n > 4 ? 8 : 2 * n)))
PYTEST_ARGS ?=
PROGRAMS = helm,kube-controller-manager

.NOTPARALLEL:
.PHONY: help setup demo programs test lint generate lock bench soak clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

NEW_ENOUGH = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sluice needs Python 3.11 or newer; set PYTHON=/path/to/python3")'
# Code of the sandbox that runs before there is an environment, on the standard library alone.
EARLY = $(NEW_ENOUGH) && PYTHONPATH=operator $(PYTHON) -m

$(STAMP): requirements.lock pyproject.toml
	@echo "==> Python environment ($(VENV)), locked dependencies"
	$(NEW_ENOUGH)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The control plane's programs, which may take minutes to build, come beside the environment.
setup: ## Virtual environment, locked dependencies, control-plane binaries
	$(EARLY) sluice_sandbox.controlplane.beside $(PROGRAMS) -- \
	  env -u PYTHONPATH $(MAKE) --silent --no-print-directory $(STAMP)

demo: PROGRAMS =
demo: setup ## Apply, canary, update, roll back, blue/green, undo, repair, delete: shown and measured; DASHBOARD=1: on a page, too
	@$(BIN)/sluice sandbox demo $(if $(filter-out 0,$(DASHBOARD)),--dashboard)

programs: ## Say where Prometheus, promtool and Chromium are, or what to install: the tests need them
	$(EARLY) sluice_sandbox.dashboard.programs

# On a fresh clone a first look at the tests, beside lint, leaves bytecode for all workers and all that they start:
# each would compile it for itself otherwise. What it fails at is told by the run itself.
test: export PYTHONDONTWRITEBYTECODE =
test: programs setup ## Lint, types and every level of tests
	@$(MAKE) --silent --no-print-directory lint & lint=$$!; \
	  test -d tests/unit/__pycache__ || $(BIN)/pytest --collect-only -q >/dev/null 2>&1 || true; \
	  wait $$lint
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not soak" $(PYTEST_ARGS)

lint: $(STAMP) ## ruff, formatting, mypy --strict, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup ## The figures of architecture.md, measured here: bench/out/*.json and a table
	@$(BIN)/python bench/run.py
	@$(BIN)/python bench/stand_in.py
	@$(BIN)/python bench/metrics.py

soak: setup ## Hours of random schedules; seeds are printed and can be replayed
	@$(BIN)/pytest -m soak -s --timeout 0 $(PYTEST_ARGS)

generate: $(STAMP) ## Write crds/, the chart's copies, dashboards, the reference and the translation table from code
	@$(BIN)/python -m sluice.api.crdgen --out crds --reference docs/reference.md --translation docs/translation.md
	@$(BIN)/python tools/chart_files.py
	@$(BIN)/python tools/metrics_reference.py
	@$(BIN)/python tools/dashboards.py
	@$(BIN)/python tools/argo_cd_files.py

RESOLVE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"
lock: $(STAMP) ## Resolve the dependencies again: for development, for the image, for building the image
	@$(RESOLVE) --upgrade --group dev --extra sandbox --extra tracing pyproject.toml --output-file requirements.lock
	@$(RESOLVE) --constraint requirements.lock --extra tracing pyproject.toml --output-file requirements-runtime.lock
	@printf 'hatchling>=1.27\neditables>=0.5\n' | $(RESOLVE) --constraint requirements.lock - --output-file requirements-build.lock

clean: ## Remove what the targets made (not the cache of control-plane binaries)
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build .sandbox bench/out
