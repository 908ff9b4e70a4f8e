# Everything a contributor or a pipeline needs. Each step leaves a stamp in .venv, so a second `make` is instant and a
# changed pyproject.toml or constraints.txt installs again. Written for GNU make 3.81 (macOS) and newer.

SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CPU_INDEX := https://download.pytorch.org/whl/cpu

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

run: .venv/.run  ## train, fine-tune and evaluate on handwritten digits; sets up what it needs
	$(BIN)/ft run configs/digits.yaml
	@echo "  ft lies in .venv/bin; for this terminal: . .venv/bin/activate"

test: .venv/.dev  ## run the tests
	$(BIN)/python -m pytest $(PYTEST)

check: .venv/.dev build/typing/ft  ## everything a change must pass: style, types, layers, tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(PYTEST)

faults: .venv/.dev  ## break it on purpose: every fault that ft promises to survive, as a table (minutes)
	$(BIN)/python -m pytest $(PYTEST) --faults

bench: .venv/.dev  ## time ft against a hand-written PyTorch loop and other tools
	$(BIN)/python tests/benchmarks/bench.py

bench-gpu: .venv/.dev  ## the same on a CUDA device
	$(BIN)/python tests/benchmarks/bench.py --gpu

build: .venv/.dev  ## make the sdist and the wheel in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation

fmt: .venv/.dev  ## format the code, mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

setup: .venv/.dev build/typing/ft  ## create .venv with everything for working on ft

constraints: .venv/.dev build/typing/ft  ## write constraints.txt anew from what .venv holds
	@grep '^#' constraints.txt > build/constraints.txt
	@$(PIP) freeze --all --exclude-editable | sed 's/+[a-z0-9.]*$$//' | grep -v '^pip==' >> build/constraints.txt
	mv build/constraints.txt constraints.txt

clean:  ## remove everything built, .venv included; runs/ and data/ stay
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find cli core configs tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help run test check faults bench bench-gpu build fmt setup constraints clean

# One worker per core, each with one thread (tests/conftest.py): the tests are many and small.
PYTEST := -n auto --maxprocesses 8 --dist loadfile

# `command -v` is not enough: pyenv lays shims that exist and fail when called.
.venv/.python:
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "$$python -m venv .venv"; "$$python" -m venv .venv && touch $@; exit; \
	  fi; \
	done; \
	echo "no Python >= 3.11 with venv found; name one: make PYTHON=/path/to/python3" >&2; exit 1

# Without an NVIDIA GPU on Linux, torch comes from PyTorch's CPU index: 0.2 GB instead of several. pip takes
# `2.13.0+cpu` before the plain `2.13.0`, and goes on without that index when it does not answer, so the short time-out.
# The pair is installed without dependencies so that nothing else is ever taken from there.
.venv/.torch: .venv/.python constraints.txt
	@$(PIP) install -c constraints.txt setuptools
	@index=; \
	if [ "$$(uname -s)" = Linux ] && ! nvidia-smi -L >/dev/null 2>&1; then \
	  echo "no NVIDIA GPU here: asking for the CPU build of torch"; \
	  index="--extra-index-url $(CPU_INDEX) --timeout 10 --retries 1"; \
	fi; \
	$(BIN)/python -m pip install --no-compile --no-deps $$index -c constraints.txt torch torchvision
	@touch $@

.venv/.run: .venv/.torch pyproject.toml
	$(PIP) install --no-compile --no-build-isolation -c constraints.txt -e '.[demo]'
	@touch $@

.venv/.dev: .venv/.torch pyproject.toml
	$(PIP) install --no-compile --no-build-isolation -c constraints.txt -e '.[demo,board,dev]'
	@touch $@

# mypy does not follow setuptools' editable finder; it follows these links.
build/typing/ft:
	@mkdir -p $@ && ln -s ../../../cli ../../../core $@
