# make demo       the main job on real hosts, from nothing
# make test       unit, contract suites, and of the lab all but what is long
# make test-long  what takes minutes each on emulated machines, and is left out of make test
# make test-unit  seconds, no root, no lab
# make lint       ruff, mypy --strict, shellcheck

SHELL := /bin/bash
VENV ?= .venv
PY := $(VENV)/bin/python
# Two workers: tests/schedule.py says who runs what, tests/lab/conftest.py in which order.
PYTEST := $(PY) -m pytest -p tests.schedule -n 2 --dist loadfile --no-loadscope-reorder

# Compiling every module anew doubles the time of the unit tests.
unexport PYTHONDONTWRITEBYTECODE
STAMP := $(VENV)/.installed

.PHONY: demo test test-long test-unit test-lab lint lab-up lab-down clean

$(STAMP): pyproject.toml
	@./lab/prepare-venv $(VENV)
	@touch $@

demo: $(STAMP)
	@$(PY) -m lab.demo

test: $(STAMP) lint
	@./lab/lab build
	$(PYTEST)

test-long: $(STAMP)
	@./lab/lab build
	ZREP_LAB_LONG=1 $(PYTEST) tests/lab -m long

test-unit: $(STAMP)
	$(PYTEST) tests/unit

test-lab: $(STAMP)
	@./lab/lab build
	$(PYTEST) tests/lab

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	shellcheck -x -s sh lab/prepare-venv lab/guest/*.sh lab/guest/writer

lab-up:
	@./lab/lab up

lab-down:
	@./lab/lab down

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist build
