# Targets for people; each prints what it does when it takes long.
PYTHON ?= $(shell deploy/find-python)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run install tools test check format bench fuzz lock clean

run: install ## Start the exchange with safe defaults (Ctrl-C stops it).
	$(BIN)/pbx quickstart

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@deploy/prerequisites run
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@# The accounts of the exchange may not write here, and start eight times as slowly without.
	@$(BIN)/python -m compileall -q pbx media storage certs migrations
	@$(BIN)/python -m media.prompts
	@touch $@

tools: install $(VENV)/.tools

$(VENV)/.tools: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what checks and tests need ..."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

test: tools check ## Everything: checks, tests, coverage.
	@deploy/prerequisites test
	$(BIN)/python -m pytest -n 4 --dist worksteal --cov --cov-report=
	$(BIN)/python -m tests.support.coverage_gate

check: tools ## Format, lint, types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: tools ## Figures, not verdicts.
	@deploy/prerequisites bench
	$(BIN)/python -m tests.bench

FUZZ_SECONDS ?= 60
fuzz: tools ## Fuzz the parsers, FUZZ_SECONDS each; finds stay in tests/vectors/fuzz.
	$(BIN)/python -m tests.fuzz message $(FUZZ_SECONDS)
	$(BIN)/python -m tests.fuzz uri $(FUZZ_SECONDS)
	$(BIN)/python -m tests.fuzz credentials $(FUZZ_SECONDS)

lock: tools ## Refresh the hashed lock files.
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" --group dev -c requirements.lock \
	  pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* dist build
