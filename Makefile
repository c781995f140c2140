# Every target creates the environment when it is missing; nothing else needs to be installed first.

PYTHON ?= python3
VENV   ?= .venv
SCALE  ?= demo
SEEDS  ?= 1
DATASET ?=
ARGS   ?=

BIN := $(VENV)/bin
RUN := $(BIN)/python -m benchmarks
RECIPE = --scale $(SCALE) --seeds $(SEEDS) $(if $(DATASET),--dataset $(DATASET))

.DEFAULT_GOAL := help
TABLES := table1 table2 table3 table4 table5 figure2 figure3 figure4 figure5 figure6 rivals budget

.PHONY: help setup test test-oldest lint types imports audit report claims clean \
	bench accept-bench bench-gpu gpu-check bench-scaling \
	pictures reproduce-all reproduce-mini-row plan-all results check-accuracy accept-accuracy check-faults test-faults \
	$(TABLES:%=reproduce-%) $(TABLES:%=plan-%)

help:  ## show the targets and their variables
	@echo "  reproduce-TABLE    run it and write reports/out/report.html"
	@echo "  plan-TABLE         say what it would run and how long it takes"
	@echo "                     TABLE: $(TABLES)"
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  variables: SCALE=demo|small|mini|paper DATASET='digits cifar10 …' SEEDS=n ARGS='--workers 1 …'"

setup: $(BIN)/.installed  ## create the environment (three to four minutes, about 6 GB)

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(TABLES:%=reproduce-%): reproduce-%: setup
	$(RUN) run $* $(RECIPE) $(ARGS)

$(TABLES:%=plan-%): plan-%: setup
	$(RUN) plan $* $(RECIPE) $(ARGS)

pictures: setup  ## invert a classifier that comes with the library: two or three minutes, no data set
	$(RUN) pictures $(ARGS)

reproduce-all: setup  ## run every table and figure; what two of them need is made once
	$(RUN) run all $(RECIPE) $(ARGS)

plan-all: setup  ## say what all of them would run and how long it takes
	$(RUN) plan all $(RECIPE) $(ARGS)

claims: setup  ## the paper's 190 numbers beside what was measured, with a verdict each
	$(RUN) claims $(ARGS)

# At scale small in the precision of its accepted numbers, and as many seeds as fit into 45 minutes.
SMALL = $(filter small,$(SCALE))
check-accuracy accept-accuracy: private PRECISION = $(if $(SMALL),--precision bf16)
check-accuracy: SEEDS = $(if $(SMALL),2,4)
check-accuracy: setup  ## hold accuracy numbers against the accepted ones
	$(RUN) check $(PRECISION) $(ARGS) $(RECIPE)

accept-accuracy: SEEDS = $(if $(SMALL),8,18)
accept-accuracy: setup  ## write reports/accepted/ from records of SEEDS seeds
	$(RUN) accept $(PRECISION) $(ARGS) $(RECIPE)

test-faults: setup  ## kill a run a hundred times; it must end as one that nobody disturbed
	$(BIN)/python tests/faults/kill.py $(ARGS)

check-faults: setup  ## plant faults in a copy and see whether check-accuracy finds each
	$(BIN)/python tests/faults/plant.py --scale $(SCALE) $(ARGS)

report: setup  ## write the report again from the records
	$(RUN) report $(ARGS)

results: setup  ## write the pages of results again from the kept records
	$(RUN) results $(ARGS)

# Stopped at any moment, the same command goes on; ARGS='--max-hours 0.15' stops it by itself.
ROW := --scale mini --dataset cifar10 --device cuda --precision bf16 --download --yes
reproduce-mini-row: setup  ## on a GPU: ResNet-34 to ResNet-18 by all six methods, then Table 1 on the same images
	$(RUN) run table5 --rows resnet34-resnet18 $(ROW) $(ARGS)
	$(RUN) run table1 --rows di ni real $(ROW) $(ARGS)

# Files side by side, a thread each: torch's threads would wait for each other.
test: setup  ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 \
		--dist=loadfile --no-loadscope-reorder $(ARGS)

OLDEST := .venv-oldest/bin
# What computes, and a table from the command line to its files.
OLDEST_TESTS := $(addprefix tests/,naturalinversion baselines contract test_parity.py benchmarks/training \
	benchmarks/cli/test_tiny_table.py)

# pip installs the newest versions that pyproject.toml allows; uv can find the lowest. Its cache
# keeps 6 GB of each installation, and is of no use to another one.
$(OLDEST)/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	$(OLDEST)/python -m pip install --quiet uv
	$(OLDEST)/uv pip install --quiet --python $(OLDEST)/python --upgrade --resolution lowest-direct \
		--cache-dir .venv-oldest/cache --editable '.[benchmarks,ray,test]'
	@rm -rf .venv-oldest/cache
	@touch $@

test-oldest: $(OLDEST)/.installed  ## those of what computes, with the lowest versions allowed
	OMP_NUM_THREADS=1 $(OLDEST)/python -m pytest --numprocesses=logical --maxprocesses=4 \
		--dist=loadfile --no-loadscope-reorder $(OLDEST_TESTS) $(ARGS)

AUDIT := .venv-audit/bin

$(AUDIT)/pip-audit:
	$(PYTHON) -m venv .venv-audit
	$(AUDIT)/python -m pip install --quiet pip-audit pip-licenses

audit: setup $(AUDIT)/pip-audit  ## licences of what is installed to docs/licences.md, then known vulnerabilities
	$(AUDIT)/pip-licenses --python $(BIN)/python --from=mixed --format=markdown --order=name \
		--ignore-packages naturalinversion > .venv-audit/licences
	@printf '%s\n\n' '# Licences of what is installed' \
		'Written by `make audit`, as each package states it. What stands out: [security.md](security.md#dependencies).' \
		| cat - .venv-audit/licences > docs/licences.md
	$(AUDIT)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt $(ARGS)

lint: setup  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## static types
	$(BIN)/mypy

imports: setup  ## which package may import which
	$(BIN)/lint-imports

BENCH := $(BIN)/python -m pytest -o addopts= -q -p no:timeout --import-mode=importlib benchmarks/perf \
	--benchmark-only --benchmark-timer=benchmarks.perf.ratio_clock.clock \
	--benchmark-columns=median,min,max,rounds --benchmark-sort=name
RATIOS := benchmarks/perf/results/cpu.json

bench: setup  ## speed as ratios in one run; fails where one is 30 % worse than the kept one
	$(BENCH) --benchmark-compare=$(RATIOS) --benchmark-compare-fail=median:30% $(ARGS)

accept-bench: setup  ## keep this machine's ratios to compare with
	@mkdir -p $(dir $(RATIOS))
	$(BENCH) --benchmark-json=$(RATIOS) $(ARGS)

bench-gpu: setup  ## synthesis and training on a GPU against their targets; fails without one
	$(BIN)/python -m benchmarks.perf.gpu $(ARGS)

gpu-check: setup  ## hold what runs differently on a GPU against the CPU; ARGS='--device cpu' without one
	$(BIN)/python -m benchmarks.perf.gpu_check $(ARGS)

bench-scaling: setup  ## images a second of one worker and of two, here and on a Ray cluster
	$(BIN)/python -m benchmarks.perf.scaling $(ARGS)

clean:  ## remove caches (keeps runs/, reports/out/ and the environment)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .tox build dist *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -exec rm -rf {} +
