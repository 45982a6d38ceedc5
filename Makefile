# The commands of this checkout. `make test` is the one to run before anything is shared.
#
#   PYTHON=...   the Python that .venv is made of (used when .venv does not exist yet)
#   PYTHONS=...  the Pythons of `make test-full`, instead of those found
#   JOBS=...     processes of `make test`: as many as there are processors, unless told

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install test test-full lora-test check train bench trl-bench

VENV := .venv
BIN := $(VENV)/bin
LORA := .venv-lora
TRL := .venv-trl
INSTALLED := $(VENV)/.installed
JOBS := auto

# Small machines: one thread a process, and threads that wait do not spin.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## make .venv with everything in it (once; again when pyproject.toml changes)

# A name on PATH proves nothing (it may be a shim for a Python that is not there): it has to run.
$(INSTALLED): pyproject.toml constraints.txt
	@if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
	  for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    python=; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo "make: no Python 3.11 or newer runs here: install python3.11 or newer, or say which with make PYTHON=/path/to/python3" >&2; exit 1; \
	  fi; \
	  if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	    version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	    echo "make: $$python has no venv module: apt-get install python$$version-venv, then make again" >&2; exit 1; \
	  fi; \
	  echo "making $(VENV) with $$("$$python" --version); the downloads come next"; \
	  "$$python" -m venv --clear $(VENV); \
	fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

check: $(INSTALLED)  ## ruff and pyright
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright

test: check  ## check, then every test but the full matrix
	@$(BIN)/python -m pytest -q -m "not full" -n $(JOBS) --dist loadfile

test-full: test  ## the executor's whole matrix, on every Python found
	@tests/full.sh

# peft stays out of .venv: what works without it must be seen to.
$(LORA)/.installed: $(INSTALLED)
	@test -x $(LORA)/bin/python || $(BIN)/python -m venv $(LORA)
	@$(LORA)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,lora]'
	@touch $@

lora-test: $(LORA)/.installed  ## the tests that need peft, in an environment of their own
	@$(LORA)/bin/python -m pytest -q -m lora

$(TRL)/.installed: $(LORA)/.installed
	@test -x $(TRL)/bin/python || $(BIN)/python -m venv $(TRL)
	@$(TRL)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch transformers trl datasets peft
	@touch $@

trl-bench: $(TRL)/.installed  ## a step of LoRA beside TRL's, of the model in MODEL=FOLDER
	@$(LORA)/bin/python benchmarks/adapter.py $(MODEL) --name $(notdir $(MODEL)) --peer-python $(TRL)/bin/python

bench: $(INSTALLED)  ## the benchmarks of the executor, the run database and the loop
	@$(BIN)/python benchmarks/executor.py
	@$(BIN)/python benchmarks/store.py
	@$(BIN)/python benchmarks/selfplay.py

train: $(INSTALLED)  ## self-play on this machine (the recipe `laptop`)
	@$(BIN)/azr train
