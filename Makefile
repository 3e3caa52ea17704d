# `make run` and `make test` need nothing but Python 3.11 or newer (with venv) and network access
# to the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# cpu: PyTorch without CUDA (hundreds of MB instead of several GB). For a GPU: make TORCH=auto …
TORCH ?= cpu
TORCH_VERSION := 2.13.0
GPAW := gpaw==26.7.0 gpaw-data==1.2.1
FITTED := 'pypolymlp>=0.22,<0.23'
ALLOYS := 'icet>=4.0,<5'
MP_API := 'mp-api>=0.46'
BUDGET ?= 10
# Candidates that `make run-dft` computes again: a quarter of an hour to an hour each on two cores.
TOP ?= 3
# A share of the tests in their order for each process, and whoever is done takes from the others: what the
# tests of a file share is built once.  The slowest ten are listed.
PARALLEL := --dist worksteal --durations=10
# One more than the two cores that this is for: tests that wait for a program leave theirs to another.
PROCESSES ?= 3
RUN := run-$(shell date +%Y%m%d-%H%M%S)

.DEFAULT_GOAL := help
.PHONY: help install gpaw fitted alloys mp run run-dft test test-fast test-slow test-slurm lint format lock bench-quick benchmark-kappa clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

install: $(VENV)/.installed ## create .venv and install what is pinned

$(VENV)/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet uv
	# uv knows where PyTorch keeps its CPU builds; where that place is out of reach, pip takes what
	# the package index has.
	$(BIN)/python -c 'import torch' 2>/dev/null || \
		$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --torch-backend=$(TORCH) torch==$(TORCH_VERSION) || \
		$(BIN)/python -m pip install --quiet torch==$(TORCH_VERSION)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q configs screening workflows
	@touch $@

gpaw: install ## GPAW for real first-principles forces (needs MPI, libxc, BLAS, a C compiler)
	@command -v mpicc >/dev/null && command -v gcc >/dev/null || { echo "MPI or a compiler is missing; on \
	Debian: apt-get install libopenmpi-dev libxc-dev libopenblas-dev gcc"; exit 2; }
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		--constraint requirements.lock $(GPAW)

fitted: install ## pypolymlp for potentials of your own (needs a C++ compiler, CMake and Eigen 3)
	@command -v cmake >/dev/null && command -v g++ >/dev/null || { echo "CMake or a compiler is missing; on \
	Debian: apt-get install cmake g++ libeigen3-dev"; exit 2; }
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		--constraint requirements.lock $(FITTED)

alloys: install ## icet for ground states and Monte Carlo of alloys (needs a C++ compiler)
	@command -v g++ >/dev/null || { echo "A C++ compiler is missing; on Debian: apt-get install g++"; exit 2; }
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		--constraint requirements.lock $(ALLOYS)

mp: install ## the Materials Project's client (290 MB), for sources mp:QUERY
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		--constraint requirements.lock $(MP_API)

run: install ## a real low-kappa campaign on a small budget, its ranking and its report.html
	$(BIN)/matscreen submit --target low-kappa --source phonondb-103 --budget $(BUDGET) --batch-size 2 --name $(RUN) --wait
	$(BIN)/matscreen rank $(RUN) --top 20
	$(BIN)/matscreen report $(RUN) --output report.html
	@echo "next: $(BIN)/matscreen show RbI tells all of one crystal; make run BUDGET=20 computes more of them"

run-dft: gpaw ## the best of the newest campaign again, by first principles (GPAW), and the ranking with both
	$(BIN)/matscreen promote --engine gpaw-fast --top $(TOP)
	$(BIN)/matscreen work
	$(BIN)/matscreen rank --top 20
	$(BIN)/matscreen report --output report.html

# Containers often tell Python to keep nothing it has compiled: each program that tests start would
# compile this project again, and pytest all tests.
test test-fast test-slow test-slurm: export PYTHONDONTWRITEBYTECODE =

bench-quick: install ## whether anything has become slower: ratios to yardsticks, under three minutes
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/quick.py

test: install ## the test suite
	$(BIN)/python -m pytest -n $(PROCESSES) $(PARALLEL)

test-fast: install ## a minute of it: no database server, no browser, no other program
	$(BIN)/python -m pytest -n $(PROCESSES) $(PARALLEL) -m "not heavy and not slow and not slurm" --override-ini addopts=-ra

test-slow: install ## checks that take minutes of computing
	$(BIN)/python -m pytest -n 2 $(PARALLEL) -m slow --override-ini addopts=-ra

test-slurm: install ## campaigns on a real Slurm of one node; as root it is installed and started
	$(BIN)/python tests/integration/slurm_node.py \
		$(BIN)/python -m pytest -m slurm --override-ini addopts=-ra

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## let ruff format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## write requirements.lock again from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
		--overrides requirements.overrides --no-header --no-annotate \
		pyproject.toml -o requirements.lock

clean: ## remove .venv and caches, not your campaigns
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
