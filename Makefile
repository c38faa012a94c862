# `make run` and `make test` set up what they need; nothing has to be installed by hand but Python and make.
PYTHON ?= python3
BIN := .venv/bin
SCALE ?= 10000

.PHONY: run test test-postgres mutants lint bench lock settings messages clean

run: .venv/runtime
	@$(BIN)/python manage.py serve

# Byte code is kept: or each of the processes that tests start would compile everything again.
test: .venv/all
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# What single parts do, on PostgreSQL too; what several processes do there is in `make test`.
test-postgres: .venv/all
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m tests.support.on_postgres

# Which small faults in the code no test notices. Not in `make test`: it takes long. MUTANTS names files or folders.
mutants: .venv/all
	$(BIN)/python -m tests.support.mutants

lint: .venv/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	HELPDESK_KEYS=throwaway $(BIN)/mypy

# SCALE=1000000 measures the pages with a million tickets, too; each database takes ten minutes to fill.
bench: .venv/all
	SCALE=$(SCALE) $(BIN)/python -m benchmarks

lock: .venv/all
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --universal requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --universal requirements-dev.in -o requirements-dev.txt

# The settings' table in README.md, and .env.example.
settings: .venv/all
	HELPDESK_KEYS=throwaway $(BIN)/python -m tests.support.settings_table

# Needs GNU gettext. What it leaves empty or marks fuzzy in helpdesk/locale is to be translated; then once more.
messages: .venv/all
	HELPDESK_KEYS=throwaway $(BIN)/python manage.py makemessages -a -i .venv -i tests -i var -i mutants --add-location file --no-obsolete --no-wrap
	$(BIN)/pybabel -q compile -d helpdesk/locale -D django

.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing (once)…"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/all: .venv/runtime requirements-dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv .hypothesis .mypy_cache .ruff_cache .pytest_cache static-collected mutants
