# Two commands for a fresh machine; each makes its own environment and neither needs the other first:
#   make demo    train a network on handwritten digits and save what it learned under runs/demo
#   make test    format, lint, types, layers, tests, the README's code
# Also: make lint, make format, make pictures (for the README), make clean.

PYTHON ?= python3
TEST_WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Threads that wait sleep, instead of keeping a core busy that another thread or program could use.
export OMP_WAIT_POLICY ?= passive

.PHONY: install demo test check lint format pictures clean

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m vivace demo

test: lint
	$(BIN)/python -m pytest -q -n $(TEST_WORKERS) $(PYTEST_OPTIONS)

check: test

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: $(STAMP)
	$(BIN)/python docs/make_pictures.py
	$(BIN)/python docs/make_task_pictures.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# torch comes first and alone: where a CPU build of the pinned version is offered, pip takes that one,
# and torchvision and timm then find torch in place.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "vivace needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "python3 could not make .venv: install its venv module (Debian: apt install python3-venv)."; exit 1; }
	$(BIN)/python -m pip install --quiet torch -c constraints.txt
	$(BIN)/python -m pip install --quiet -e ".[dev]" -c constraints.txt
	@touch $(STAMP)
