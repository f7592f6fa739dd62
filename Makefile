# Each line can be pasted into a shell.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench clean

demo: .venv/demo
	$(BIN)/playact models fetch
	$(BIN)/playact run examples/cafe.yaml -n 50 --concurrency 50 --max-turns 4 --seed 1

test: .venv/dev
	$(BIN)/playact models fetch
	$(BIN)/python -m pytest -q

check: .venv/dev
	$(BIN)/ruff format $(if $(CI),--check) .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests examples benchmarks

bench: .venv/dev
	$(BIN)/python benchmarks/turns.py
	$(BIN)/python benchmarks/http.py
	$(BIN)/playact models fetch
	$(BIN)/python benchmarks/embedded.py

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[embedded,speed]'
	touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@
