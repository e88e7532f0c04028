# make demo: set up and run the default network; it prints the address of its page.
# make test: set up and run all tests.
# make check: what CI runs first (lint, types, import contracts, the documentation, fast tests).
# make test-install: install the wheel of the sdist in an empty venv, with all its dependencies, and use it there.
# make test-sinks: install the trackers that runs are exported to (TensorBoard, MLflow, ..) and read back what they get.
# make test-hosts: make three hosts of this machine, with real Ray and Slurm, and test runs on them (as root; it installs what it needs).
# make docs: build the documentation's site, build/docs/index.html.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
unexport PYTHONDONTWRITEBYTECODE  # each process of a test would compile what it imports anew
SITE := $(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -d build/doctrees docs build/docs

.PHONY: demo test test-install test-sinks test-hosts check docs format clean

demo: $(VENV)/.installed
	$(BIN)/python launch.py --ui

test: $(VENV)/.tools
	$(BIN)/pytest -n 3 --dist worksteal

test-install: $(VENV)/.tools
	PRISAM_TEST_EMPTY_VENV=1 $(BIN)/pytest tests/network/test_installed.py tests/network/test_entry_points.py

test-sinks: $(VENV)/.sinks
	$(BIN)/pytest -m sinks

test-hosts: $(VENV)/.hosts
	$(BIN)/pytest -m hosts tests/hosts

check: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(SITE)
	$(BIN)/pytest -q -n 2 -m "not network and not slow and not browser"

docs: $(VENV)/.tools
	$(SITE)
	@echo "build/docs/index.html"

format: $(VENV)/.tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs build dist *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml setup.py constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.sinks: $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[sinks]'
	@touch $@

$(VENV)/.hosts: $(VENV)/.tools
	tests/hosts/install_tools.sh
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,docs]'
	@touch $@
