# Needs Python 3.11 or newer with venv and pip; a C compiler and Python's headers make it fast.
#   make run        the demo on http://localhost:8080 and https://localhost:8443
#   make test       linters, types, tests
#   make bench      the benchmarks
#   make install PYTHON=python3.14   takes another Python than the first suitable one, when there is no .venv yet
# For contributors (CONTRIBUTING.md has the loop):
#   make build      compiles what was edited
#   make quick      unit tests of the sources, uncompiled
#   make near F=lb/http/head.py      the tests that belong to a file, on both engines
#   make lint       style and types
#   make coverage   which lines of the sources the unit tests run
#   make sdist, make wheel           what a release consists of, in dist/

.DEFAULT_GOAL := install
.PHONY: install run test bench clean build lint quick near coverage sdist wheel
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

# Suitable: new enough, and able to make an environment with pip in it.
SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
FIND_PYTHON = $(firstword $(foreach one,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(one) -c '$(SUITABLE)' 2>/dev/null && echo $(one))))

# What decides whether the installed lb is still the one in this tree; other .py files are used in place.
SOURCES := pyproject.toml setup.py $(shell find lb -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h') \
	$(wildcard $(patsubst %.pxd,%.py,$(shell find lb -name '*.pxd')))

ASKED := $(LB_REQUIRE_COMPILED)
# With all that compiling needs, a silent fallback to uncompiled code is a failure of the tests.
COMPILES = $(shell command -v $${CC:-cc} >/dev/null && $(BIN)/python -c 'import os, sys, sysconfig; \
	sys.exit(sys.platform != "linux" or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' && echo 1)

# Tests of what is the same code on either engine (processes, certificates and their files), or is promised of the compiled one.
ENGINE_BLIND := acme activation certificates configuration health hostile_load reload running scanners upgrade

define LINT
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint lb
	$(BIN)/mypy --strict
endef

UNIT := $(filter-out tests/e2e/ tests/benchmarks/,$(wildcard tests/*/)) tests/test_engine.py tests/test_layers.py
# tests/ mirrors lb/: what belongs to lb/a/b.py is tests/a/test_b*.py; where there is nothing, the folder's tests.
NEAR = $(or $(wildcard $(patsubst lb/%,tests/%,$(dir $(F)))test_$(basename $(notdir $(F)))*.py),$(patsubst lb/%,tests/%,$(dir $(F))))

install: $(VENV)/installed

run: install
	@exec $(BIN)/lb demo

test: export LB_REQUIRE_COMPILED = $(or $(ASKED),$(if $(CI),1),$(COMPILES))
test: $(VENV)/installed-for-tests
	$(LINT)
	$(BIN)/python -m pytest -n 3
	LB_ENGINE=python LB_REQUIRE_COMPILED= $(BIN)/python -m pytest -n 3 tests/e2e tests/proxy tests/http/test_scan.py tests/http/test_body.py \
		$(ENGINE_BLIND:%=--ignore=tests/e2e/test_%.py)

build: $(VENV)/installed-for-tests
	@$(BIN)/python setup.py -q build_ext --inplace

lint: $(VENV)/installed-for-tests
	$(LINT)

# What needs no compiled module, no real process and no other program.
quick: $(VENV)/installed-for-tests
	LB_ENGINE=python $(BIN)/python -m pytest -q -n 2 -m "not processes" $(UNIT)

near: build
	@test -n "$(F)" || { echo "Name a file: make near F=lb/http/head.py" >&2; exit 2; }
	$(BIN)/python -m pytest -q $(NEAR)
	LB_ENGINE=python $(BIN)/python -m pytest -q $(NEAR)

coverage: $(VENV)/installed-for-tests
	LB_ENGINE=python $(BIN)/python -m pytest -q -n 2 --cov=lb --cov-report=term:skip-covered --cov-report=html:build/coverage $(UNIT)
	@echo "line by line: build/coverage/index.html"

sdist: $(VENV)/installed-for-tests
	@$(BIN)/python setup.py -q sdist

wheel: $(VENV)/installed-for-tests
	@LB_REQUIRE_COMPILED=1 $(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist .

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find lb \( -name '*.so' -o -name '*.c' \) -delete
	find lb tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@python="$(or $(PYTHON),$(FIND_PYTHON))"; \
	test -n "$$python" || { echo "No Python 3.11 or newer with the venv module was found (Debian, Ubuntu: apt install python3-venv)." \
		"Name one: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	echo "making $(VENV) with $$python"; \
	"$$python" -m venv $(VENV)
	@$(PIP) install --upgrade pip

$(VENV)/installed: $(SOURCES) | $(BIN)/python
	@echo "installing lb into $(VENV); compiling takes a few minutes"
	@$(PIP) install --editable .
	@touch $@

# At once where nothing is installed yet: each installation compiles.
$(VENV)/installed-for-tests: $(SOURCES) | $(BIN)/python
	@echo "installing lb and what its tests need into $(VENV); compiling takes a few minutes"
	@$(PIP) install --editable '.[test]'
	@touch $(VENV)/installed $@
