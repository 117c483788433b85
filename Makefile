# Everything a reader or an author types. `make` alone lists it.

PYTHON_IN_VENV := .venv/bin/python
NB ?=
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help setup book test mutations lab serve execute clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

setup:  ## make .venv from requirements.lock and see to OpenGL (make book does it)
	@scripts/setup.sh

book: setup  ## build the book as HTML; warnings are errors
	@$(PYTHON_IN_VENV) scripts/build_book.py

test: book  ## verify everything: code, notebooks, artifacts, built pages
	@scripts/setup.sh --browser
	@$(PYTHON_IN_VENV) scripts/run_checks.py

mutations: setup  ## test the tests: break parts of the code on purpose; a test of each must fail
	@$(PYTHON_IN_VENV) scripts/run_checks.py --mutations

lab: setup  ## open the notebooks in JupyterLab
	@$(PYTHON_IN_VENV) -m jupyterlab --notebook-dir=.

serve: book  ## show the built book at http://localhost:8000 (PORT=8001: there)
	@$(PYTHON_IN_VENV) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

execute: setup  ## run light notebooks and store their outputs (NB=notebooks/04_*: these; NB=--stale: those out of date)
	@$(PYTHON_IN_VENV) scripts/execute_notebooks.py $(NB)

clean:  ## remove what was built; .venv stays
	@rm -rf _build .stamps .pytest_cache .ruff_cache .hypothesis .jupyter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
