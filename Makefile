# Each target sets up what it needs in .venv/ ; see README.md.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-done

.PHONY: help setup demo postgres test lint serve bench compiled faults fuzz golden requirements clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## create .venv with the pinned dependencies

demo: setup $(if $(filter postgres,$(STORE)),postgres) ## the main job end to end (KEEP=1 leaves it running, STORE=postgres)
	$(BIN)/python -m conformance.demo $(if $(KEEP),--keep) $(if $(STORE),--store $(STORE))

postgres: ## PostgreSQL's programs, where root can install them (Debian)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
	|| if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql) >/dev/null \
	  || echo "PostgreSQL could not be installed"; \
	else echo "no PostgreSQL here, and only root can install it (apt-get install postgresql)"; fi

test: setup postgres ## the whole test suite
	@# Hundreds of gateway processes start in it: none of them shall compile the sources again. One test process more
	@# than two cores: many of them wait for others.
	@$(BIN)/python -m compileall -q gateway conformance tests
	$(BIN)/python -m pytest -n 3 --dist worksteal

lint: setup ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: setup ## gateway serve on the embedded defaults
	$(BIN)/gateway serve

bench: setup ## figures as ratios, never asserted
	$(BIN)/python -m bench

compiled: setup ## a wheel in dist/ whose hot path is compiled (needs gcc), tested and measured
	@rm -f dist/*.whl
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --wheel-dir dist .
	$(BIN)/python -m bench.compiled dist/*.whl

fuzz: setup ## framer, reader, mapping: FUZZ_SECONDS (600) of hostile input
	$(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),600)

faults: setup ## the fault tests in their long form (kill -9, peers that misbehave, full disk)
	FAULTS_LONG=1 $(BIN)/python -m pytest tests/faults tests/e2e/test_large_reports.py

golden: setup ## rewrite the golden files and show what changed
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest tests/golden && git diff --stat -- tests/golden

requirements: ## compile the pinned requirement files (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra postgres pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra postgres --extra conformance --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra postgres --extra conformance -c requirements/dev.txt pyproject.toml -o requirements/image.txt

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache
