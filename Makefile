# Everything is set up inside this checkout; `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-all check fix bench docs lock clean
export MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PY := $(BIN)/python
READY := .venv/.ready
DEV := .venv/.ready-dev
ARGS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

$(READY): requirements.lock pyproject.toml tools/bootstrap.sh
	@bash tools/bootstrap.sh base

$(DEV): requirements.lock requirements-dev.lock pyproject.toml tools/bootstrap.sh
	@bash tools/bootstrap.sh dev

setup: $(DEV) ## set up .venv (every other target does it by itself)

demo: $(READY) ## the whole story on loopback; make demo ARGS=--auto plays the browser itself
	@$(PY) -m mcplatch demo $(ARGS)

run: $(READY) ## the authorization server from ./mcplatch.toml (mcplatch init writes one)
	@$(PY) -m mcplatch serve $(ARGS)

test: $(DEV) ## the fast tests
	@$(PY) -m pytest -q -n 2 --dist loadfile -m "not slow" $(ARGS)

test-all: $(DEV) ## every test: browser, kill -9, real clients, conformance
	@$(PY) -m pytest -q -n 2 --dist loadfile -m "not slow" $(ARGS)
	@bash tools/slow_suites.sh $(ARGS)

check: $(DEV) ## format, lint, types, import rules, house rules, generated pages
	@bash tools/check.sh

fix: $(DEV) ## what a machine can mend: format, lint, generated pages
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(PY) -m tools.docs --write

bench: $(DEV) ## measure beside the peers; prints ratios
	@$(PY) -m bench $(ARGS)

docs: $(DEV) ## write the generated pages of docs/reference
	@$(PY) -m tools.docs --write

lock: $(DEV) ## resolve the dependencies anew into the lock files
	@bash tools/lock.sh

clean: ## forget everything that was set up here
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
