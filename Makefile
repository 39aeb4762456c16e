PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test quick docs clean

demo: $(VENV)/.tune  ## tune a model on real data and show what it gained
	$(BIN)/argrad tune

test: $(VENV)/.dev  ## everything: format, lint, types, tests, every example
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2

quick: $(VENV)/.dev  ## the fast tests only
	$(BIN)/pytest -q -n 2 -m "not slow"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.tune: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[tune,optuna]"
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@ $(VENV)/.tune

clean:
	rm -rf $(VENV) build dist *.egg-info
