# What a person types. Everything is installed into .venv, once, and again when what is to be installed has changed.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

BIN := .venv/bin
ARGS ?=
ROUNDS ?= 500
PYTHON ?=

.PHONY: help setup demo test prove test-ha torture fuzz soak check format docs dist texts examples bench pins clean

help: ## Explain what can be made
	@echo 'make TARGET [ARGS="…"] [PYTHON=python3.x]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.ready ## Install the command into .venv: .venv/bin/deskroster

demo: .venv/.ready ## Serve a demo company on 127.0.0.1 (ARGS="--port 0 --data DIR --empty --json")
	@$(BIN)/deskroster demo $(ARGS)

test: .venv/.ready-test ## Run the tests on both engines (ARGS="tests/test_architecture.py -k tree" for some of them)
	@$(call ON_BOTH_ENGINES,tests,not proof and not torture,not proof and not torture and not any_engine)

prove: .venv/.ready-test ## Run the long proofs on both engines: crashes, failing disks, floods, 100,000 agents (ARGS as for test)
	@$(call ON_BOTH_ENGINES,proofs,proof,proof or any_engine)

test-ha: .venv/.ready-ha ## Break a cluster of three under two Deskroster processes (ARGS="-k frozen" for some of it)
	$(BIN)/pytest tests/ha -v -rP $(ARGS)

torture: .venv/.ready-test ## Kill a writing server 500 times, and each command before each of its steps (ROUNDS=25 for less)
	$(BIN)/python -m tests.proofs.durability.torture $(ROUNDS)
	$(BIN)/pytest -n auto --dist worksteal -m torture

fuzz: .venv/.ready-test ## Fuzz every dialect for 60 s, and what reads strangers' bytes for as long (ARGS=15 for less)
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: .venv/.ready-test ## Put the load that is promised on a server for an hour (ARGS=10: ten minutes)
	$(BIN)/python -m tests.proofs.load.soak $(ARGS)

check: .venv/.ready-check ## Check format, lint, types, import contracts, Containerfile and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint Containerfile
	$(BUILD_DOCS)

format: .venv/.ready-check ## Lay the code out and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.ready-check ## Build the documentation, English and Chinese (open build/docs/index.html)
	$(BUILD_DOCS)

dist: .venv/.ready-dist ## Build the wheel and the source archive into dist
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

texts: .venv/.ready-test ## Take new texts into the Chinese catalogue, drop old ones, compile it, and list what is not translated
	$(BIN)/python -m tests.catalogue

examples: .venv/.ready-test ## Write anew what the demo answers to the examples of the OpenAPI documents
	@$(BIN)/python -m tests.examples

bench: .venv/.ready-bench ## Measure, side by side, on this machine (ARGS="…")
	$(BIN)/python -m bench $(ARGS)

pins: ## Take the newest versions that pyproject.toml allows and write them into constraints.txt
	@$(call FIND_PYTHON); $(call NEED_VENV); "$$python" -m venv --clear build/pins
	build/pins/bin/python -m pip install -qq --disable-pip-version-check '.[test,check,bench,compiler,ha]'
	{ echo '# Every version that make installs. Written by make pins.'; \
	  build/pins/bin/python -m pip freeze --exclude deskroster; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/pins

clean: ## Remove all that make and its tools have made, .venv too
	rm -rf .venv build dist src/*.egg-info .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each run shows how far it is, in per cent. pytest ends with 5 where nothing was chosen: what is about one engine, or none,
# does not run on the other, and a test that is chosen by ARGS may be a proof, or none.
define ON_BOTH_ENGINES
chosen=; failed=; \
on() { \
	echo "== $(1) on $$1"; \
	$(BIN)/pytest -n auto --dist worksteal --engine $$1 -m "$$2" $(ARGS) && chosen=yes || [ $$? -eq 5 ] || failed=yes; \
}; \
on sqlite '$(2)'; \
on postgresql '$(3)'; \
[ -z "$$failed" ] || exit 1; \
[ "$$chosen" ] || { echo 'Nothing was chosen. The long ones are run by make prove, all others by make test.' >&2; exit 5; }
endef

define BUILD_DOCS
rm -rf build/docs
$(BIN)/zensical build --strict --clean --config-file mkdocs.yml
$(BIN)/zensical build --strict --clean --config-file mkdocs.zh.yml
endef

# uv when it is there, else pip. Either way the versions are those of constraints.txt.
UV := $(shell command -v uv)
ifdef UV
MAKE_VENV = uv venv --quiet --clear --python '$(or $(PYTHON),>=3.11)' .venv
INSTALL = uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable
else
MAKE_VENV = $(call FIND_PYTHON); $(call NEED_VENV); "$$python" -m venv --clear .venv
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable
endif

.venv/.ready: pyproject.toml constraints.txt
	@$(BIN)/python -c '' 2>/dev/null $(if $(UV),,&& $(BIN)/python -m pip --version >/dev/null 2>&1) || { echo 'Making .venv' >&2; $(MAKE_VENV); }
	@echo 'Installing Deskroster into .venv' >&2
	@$(INSTALL) .
	@touch $@

.venv/.ready-%: .venv/.ready
	@echo 'Installing what "$*" needs into .venv' >&2
	@$(INSTALL) '.[$*$(if $(CC_THERE),,$(COMPILER_$*))]'
	@touch $@

# The tests of a failing disk compile a few lines of C: where there is no compiler, by one from a package.
CC_THERE := $(shell command -v cc)
COMPILER_test = ,compiler

define FIND_PYTHON
for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; \
	python=; \
done; \
[ -n "$$python" ] || { echo 'Deskroster needs Python 3.11 or newer; $(if $(PYTHON),$(PYTHON) is not,there is none on the PATH). Install one (on Debian 12 and later: apt-get install python3 python3-venv), name one with PYTHON=/path/to/python3, or install uv, which brings its own.' >&2; exit 1; }
endef

define NEED_VENV
"$$python" -c 'import ensurepip, venv' 2>/dev/null || { echo "$$python cannot make virtual environments: its parts venv and ensurepip are missing. On Debian and Ubuntu: apt-get install python3-venv. Or install uv." >&2; exit 1; }
endef
