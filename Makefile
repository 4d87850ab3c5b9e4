# Everything that can be done here. `make` alone lists it.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-servers test-browser test-spark bench bench-quick check site fixtures lock clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
SPARK := $(VENV)/spark
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

help:  ## list what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make the virtual environment from the lock file

# The stamp is written last, so an interrupted set-up goes on; an environment that works is kept and brought up to date.
$(READY): requirements.lock pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	    for python in $(PYTHON) python3.11 python3 python3.12 python3.13; do \
	        "$$python" -c '$(SUPPORTED)' 2>/dev/null && exec "$$python" -m venv --clear $(VENV); \
	    done; echo "Python 3.11, 3.12 or 3.13 is needed; name one: make setup PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## run the whole job on invented patients against a local FHIR server
	@$(BIN)/fhir-adapter demo

# Both are run even if the first one fails: one run should show everything that is wrong.
test: setup  ## check, then run the tests
	@checked=0; $(MAKE) --no-print-directory check || checked=1; \
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile && exit $$checked

test-servers: setup  ## test against HAPI and Medplum (needs a JDK 17, Maven and Node 20 with npm)
	@$(BIN)/python -m pytest tests/server

test-browser: setup  ## look at the pages in Chromium (installed when it is missing and we are root; needs Node 20 with npm)
	@$(BIN)/python -m pytest tests/browser

test-spark: $(SPARK)  ## test on Spark, in one process and on a cluster of this machine (needs a JDK 17; installs PySpark)
	@$(BIN)/python -m pytest tests/spark

# Half a gigabyte that only these tests and sites with a cluster need. It is published as source alone: pip builds it.
$(SPARK): requirements-spark.lock | setup
	@$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

bench: setup  ## measure speed and size against their baselines and goals (half an hour; quiet machine)
	@$(BIN)/python benchmarks/bench.py
	@$(BIN)/python benchmarks/extraction.py

bench-quick: setup  ## the same on a small scale; fails where a figure is beyond half of its goal (two minutes)
	@$(BIN)/python benchmarks/bench.py --quick

check: setup  ## lint, format, types, import floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

site: setup  ## build the documentation into build/site (a broken link fails)
	@$(BIN)/mkdocs build

fixtures: setup  ## write the invented patients again from their tables
	@$(BIN)/python fixtures/generate.py

LOCK := uv pip compile --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url \
    --no-emit-find-links --no-header --no-annotate --quiet
OF_SPARK := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["spark"])

lock:  ## renew requirements.lock and requirements-spark.lock (needs uv)
	@$(LOCK) pyproject.toml --extra dev --extra fast --extra delta --output-file requirements.lock
	@$(BIN)/python -c '$(OF_SPARK)' | $(LOCK) - --constraint requirements.lock --output-file requirements-spark.lock

clean:  ## remove the environment, the outputs and every cache
	@rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@rm -rf tests/server/hapi/target tests/server/medplum/node_modules tests/browser/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
