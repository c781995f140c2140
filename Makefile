# Every target creates the environment when it is missing; nothing else needs to be installed first.

PYTHON ?= python3
VENV   ?= .venv
SCALE  ?= demo
SEEDS  ?= 1
DATASET ?=
ARGS   ?=

BIN := $(VENV)/bin
RUN := $(BIN)/python -m benchmarks
WHAT := --scale $(SCALE) --seeds $(SEEDS) $(if $(DATASET),--dataset $(DATASET))

.DEFAULT_GOAL := help
.PHONY: help setup reproduce-table5 plan-table5 test lint types imports bench report clean

help:  ## show the targets and their variables
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  variables: SCALE=demo|mini|paper DATASET='digits cifar10 …' SEEDS=n ARGS='--workers 1 …'"

setup: $(BIN)/.installed  ## create the environment (three to four minutes, about 6 GB)

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

reproduce-table5: setup  ## run Table 5 and write reports/out/report.html
	$(RUN) run table5 $(WHAT) $(ARGS)

plan-table5: setup  ## say what Table 5 would run and how long it takes
	$(RUN) plan table5 $(WHAT) $(ARGS)

report: setup  ## write the report again from the records
	$(RUN) report $(ARGS)

test: setup  ## run the tests
	$(BIN)/python -m pytest $(ARGS)

lint: setup  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## static types
	$(BIN)/mypy

imports: setup  ## which package may import which
	$(BIN)/lint-imports

bench: setup  ## benchmarks, as ratios
	$(BIN)/python -m pytest -o addopts= -q benchmarks/perf --benchmark-only $(ARGS)

clean:  ## remove caches (keeps runs/, reports/out/ and the environment)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .tox build dist *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -exec rm -rf {} +
