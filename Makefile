# Each target sets up .venv by itself: Python (3.11 to 3.14) and make are all that is needed.
#
#   make run     the lessons on the flights data; on yours: make run DATA=my.csv ARGS="--target churned"
#   make lab     JupyterLab on the lessons
#   make test    what CI runs
#   make docs    the documentation site, in _docs/
#   make bench   the benchmarks, one script per claim
#   make clean   removes .venv, built documentation and caches; data/ and runs/ stay
#
# PYTHON=/path/to/python chooses the interpreter; ARGS="…" goes to the command (make test ARGS="-k errors").

VENV := .venv
BIN := $(VENV)/bin
DATA := flights
WORKERS := 2
USABLE := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c '$(USABLE)' >/dev/null 2>&1 && echo "$$p" && break; done)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt
METADATA := settings.ini setup.py pyproject.toml constraints.txt

export MPLBACKEND ?= agg

.DEFAULT_GOAL := help
.PHONY: help run lab test docs bench clean

help:
	@sed -n 's/^#   make /  make /p' Makefile

run: $(VENV)/.course
	@echo "== Running the lessons on $(DATA)"
	@$(BIN)/ml-lifecycle run $(DATA) $(ARGS)

lab: $(VENV)/.course
	@echo "== Starting JupyterLab on the lessons (stop it with Ctrl-C)"
	@$(BIN)/ml-lifecycle lab $(ARGS)

test: $(VENV)/.dev
	@echo "== Testing: the house, the library, every notebook, the wheel (coverage of ml_lifecycle must be 90 % or more)"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 10 \
		--cov ml_lifecycle --cov-report term:skip-covered --cov-fail-under 90 $(ARGS)

docs: $(VENV)/.dev
	@echo "== Building the documentation: every notebook is executed, then rendered to _docs/"
	@$(BIN)/python -m ml_lifecycle.runner.docs $(ARGS)

bench: $(VENV)/.dev
	@set -e; for script in benchmarks/[a-z]*.py; do \
		test -e "$$script" || { echo "== No benchmarks yet"; exit 0; }; \
		echo "== $$script"; $(BIN)/python "$$script" $(ARGS); done

clean:
	@echo "== Removing .venv, built documentation and caches (data/ and runs/ stay)"
	@rm -rf $(VENV) _docs _proc build dist *.egg-info htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find ml_lifecycle tests tools benchmarks nbs -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "No usable Python was found. Install Python 3.11, 3.12, 3.13 or 3.14 with its venv module" \
		"(on Debian and Ubuntu: apt install python3-venv), or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c '$(USABLE)' || { echo "PYTHON must be Python 3.11, 3.12, 3.13 or 3.14 with its venv module." \
		"Got: $(PYTHON) ($$("$(PYTHON)" -V 2>/dev/null || echo 'does not run'))" >&2; exit 1; }
	@echo "== Making $(VENV) with $$("$(PYTHON)" -V)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.course: $(METADATA) | $(VENV)/.made
	@echo "== Installing what the lessons need into $(VENV) (the first time takes some minutes)"
	@$(PIP) -e ".[course]"
	@touch $@

$(VENV)/.dev: $(METADATA) | $(VENV)/.made
	@echo "== Installing what the lessons, the tests and the documentation need into $(VENV) (the first time takes some minutes)"
	@$(PIP) -e ".[course,dev]"
	@touch $(VENV)/.course $@
