# `make run` needs Python 3.11 and nothing else: no root, no Java, no Kafka, no Cassandra, no ffmpeg.
#
#   make run            everything on this machine, with a test picture; DEMO=0 without, DATA=DIR elsewhere
#   make down           stop what `make run` started
#   make test           all tests; ARGS="tests/media -x" for some of them
#   make test-deps      what only the tests need: Chromium, ffmpeg, PostgreSQL, Redis, nginx, an S3 server
#   make check          formatting, lint, types, the direction of imports
#   make format         rewrite what can be rewritten
#   make bench          measure
#   make screenshots    take the pictures of the documentation anew
#   make clean          remove what tools left behind; data and .venv stay

PYTHON ?= $(shell command -v python3.11 || command -v python3)
DATA ?= data
DEMO ?= 1
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_TEST := .venv/.installed-test

.PHONY: help run down test test-deps check format bench screenshots clean

help:
	@sed -n 's/^#   //p' Makefile

run: $(INSTALLED)
	$(BIN)/logcast up --data $(DATA) $(if $(filter-out 0 no,$(DEMO)),--demo)

down: $(INSTALLED)
	$(BIN)/logcast down --data $(DATA)

test: test-deps $(INSTALLED_TEST)
	$(BIN)/python -m pytest $(ARGS)

test-deps:
	.ci/test-deps

check: $(INSTALLED_TEST)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED_TEST)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED_TEST)
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

screenshots: test-deps $(INSTALLED_TEST)
	PYTHONPATH=. $(BIN)/python docs/screenshots.py $(ARGS)

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "found no python3.11: install Python 3.11, or name it with PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: name another with PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(INSTALLED_TEST): $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@
