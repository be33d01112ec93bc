# Needs Python 3.11 or newer with venv and pip; with a C compiler and Python's headers, lb is compiled.
#   make run        the demo on http://localhost:8080 and https://localhost:8443
#   make test       linters, types, tests
#   make test-slow  the tests that take minutes, or install packages from an index
#   make bench      the benchmarks
#   make test-latest, make test-lowest   the tests with the newest and the oldest versions that pyproject.toml allows
#   make audit  known vulnerabilities of the versions in constraints.txt, if an advisory feed is reachable
#   make sanitize SECONDS=60   hostile clients and instances against a build with ASan and UBSan
#   make constraints   writes constraints.txt with the newest versions
#   make install PYTHON=python3.14   uses this Python instead of the first suitable one, if there is no .venv yet
# For contributors (CONTRIBUTING.md has the loop):
#   make build      compiles edited modules
#   make quick      unit tests of the sources, uncompiled
#   make near F=lb/http/head.py      the tests that belong to a file, on both engines
#   make lint       style and types
#   make coverage   which lines of the sources the unit tests run
#   make sdist, make wheel           the files of a release, in dist/
#   make docs       the documentation as web pages, in build/site/

.DEFAULT_GOAL := install
.PHONY: install run test pytest test-slow test-latest test-lowest audit constraints bench sanitize clean build lint quick near coverage sdist wheel docs
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# The versions to install, also for building; an empty file means the newest.
CONSTRAINTS := constraints.txt
PIP_INSTALL = PIP_BUILD_CONSTRAINT=$(CONSTRAINTS) $(PIP) install --constraint $(CONSTRAINTS)

# Suitable: new enough, and able to create an environment with pip.
SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
FIND_PYTHON = $(firstword $(foreach one,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(one) -c '$(SUITABLE)' 2>/dev/null && echo $(one))))

# If these change, lb is installed again; other .py files are used in place.
SOURCES := $(CONSTRAINTS) pyproject.toml setup.py $(shell find lb -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h') \
	$(wildcard $(patsubst %.pxd,%.py,$(shell find lb -name '*.pxd')))

ASKED := $(LB_REQUIRE_COMPILED)
# If everything for compiling is there, a silent fallback to uncompiled code fails the tests.
COMPILES = $(shell command -v $${CC:-cc} >/dev/null && $(BIN)/python -c 'import os, sys, sysconfig; \
	sys.exit(sys.platform != "linux" or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' && echo 1)

# Tests of code that is the same on both engines (processes, certificates and their files), or promised for the compiled one only.
ENGINE_BLIND := acme activation certificates configuration health hostile_load reload running scanners upgrade
ENGINE_BLIND_APPS := deploying drain_of_versions engine_and_door engine_beginning engine_killed full_disk hostile_neighbours \
	killed_under_load templates

define LINT
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint lb
	$(BIN)/mypy --strict
endef

UNIT := $(filter-out tests/e2e/ tests/benchmarks/,$(wildcard tests/*/)) tests/test_engine.py tests/test_layers.py
# tests/ mirrors lb/: the tests of lb/a/b.py are tests/a/test_b*.py; if there are none, all tests of the folder.
NEAR = $(or $(wildcard $(patsubst lb/%,tests/%,$(dir $(F)))test_$(basename $(notdir $(F)))*.py),$(patsubst lb/%,tests/%,$(dir $(F))))

install: $(VENV)/installed

# The first page comes before anything is compiled, unless lb is compiled already.
run: $(if $(wildcard $(VENV)/installed),install,$(VENV)/installed-uncompiled)
	@exec $(BIN)/lb demo

test: $(VENV)/installed-for-tests
	$(LINT)
	@$(MAKE) pytest

pytest: export LB_REQUIRE_COMPILED = $(or $(ASKED),$(if $(CI),1),$(COMPILES))
pytest: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -n 3
	LB_ENGINE=python LB_REQUIRE_COMPILED= $(BIN)/python -m pytest -n 3 tests/e2e tests/proxy tests/http/test_scan.py tests/http/test_body.py \
		--ignore=tests/e2e/projects $(ENGINE_BLIND:%=--ignore=tests/e2e/test_%.py) $(ENGINE_BLIND_APPS:%=--ignore=tests/e2e/apps/test_%.py)

test-slow: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -m slow

# In a copy of the tree, with its own environment and compiled modules. Linters and types are only for the versions in
# constraints.txt: each release of them adds rules.
test-latest: build/empty.txt
test-lowest: build/lowest.txt
test-latest: VERSIONS = build/empty.txt
test-lowest: VERSIONS = build/lowest.txt
test-latest test-lowest: test-%:
	rm -rf build/$*
	mkdir -p build/$*
	tar -c --exclude=./build --exclude=./.venv --exclude=./.git --exclude=./certs/local --exclude='*.so' --exclude=__pycache__ \
		. | tar -x -C build/$*
	cp $(VERSIONS) build/$*/versions.txt
	@$(MAKE) -C build/$* pytest CONSTRAINTS=versions.txt

build/empty.txt:
	@mkdir -p build
	@touch $@

build/lowest.txt: pyproject.toml | build/uv/bin/uv
	build/uv/bin/uv pip compile -q --no-annotate --no-header --python build/uv/bin/python --resolution lowest-direct --extra engine --extra test \
		pyproject.toml --output-file $@

constraints: | build/uv/bin/uv
	build/uv/bin/uv pip compile -q --no-annotate --upgrade --python build/uv/bin/python --extra engine --extra test pyproject.toml \
		--custom-compile-command "make constraints" --output-file constraints.txt

# Exit status 0 if no feed is reachable: only the report is missing then.
audit: | build/pip-audit/bin/pip-audit
	@rm -f build/audit.json
	@build/pip-audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off \
		--format json --output build/audit.json; found=$$?; \
	test -s build/audit.json || { echo "No advisory feed is reachable: nothing was audited." >&2; exit 0; }; \
	exit $$found

build/uv/bin/uv build/pip-audit/bin/pip-audit: build/%: | $(BIN)/python
	@$(BIN)/python -m venv build/$(firstword $(subst /, ,$*))
	@build/$(firstword $(subst /, ,$*))/bin/pip install -qq $(notdir $*)

build: $(VENV)/installed-for-tests
	@$(BIN)/python setup.py -q build_ext --inplace

lint: $(VENV)/installed-for-tests
	$(LINT)

# Tests that need no compiled module, no real process and no other program.
quick: $(VENV)/installed-for-tests
	LB_ENGINE=python $(BIN)/python -m pytest -q -n 2 -m "not long" $(UNIT)

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

# In an environment of its own, since lb does not need it.
docs: build/mkdocs/bin/mkdocs
	build/mkdocs/bin/mkdocs build

build/mkdocs/bin/mkdocs: | $(BIN)/python
	@$(BIN)/python -m venv build/mkdocs
	@build/mkdocs/bin/pip install -qq 'mkdocs>=1.6,<2'

bench: install
	$(BIN)/python -m benchmarks

# Built into a directory of its own: the modules in use here are not changed.
SANITIZED := build/sanitized
SANITIZERS := -fsanitize=address,undefined
SECONDS ?= 60

sanitize: $(SANITIZED)/built
	$(BIN)/python -m benchmarks.sanitized $(SANITIZED)/lib --seconds $(SECONDS)

$(SANITIZED)/built: $(SOURCES) | $(VENV)/installed-for-tests
	@echo "compiling lb with sanitizers takes several minutes"
	@mkdir -p $(SANITIZED)/lib
	tar -c --exclude='*.so' --exclude='*.c' --exclude=__pycache__ lb | tar -x -C $(SANITIZED)/lib
	CFLAGS="$(SANITIZERS) -fno-omit-frame-pointer" LDFLAGS="$(SANITIZERS)" LB_REQUIRE_COMPILED=1 \
		$(BIN)/python setup.py -q build_ext --force --build-lib $(SANITIZED)/lib --build-temp $(SANITIZED)/objects
	@touch $@

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
	@echo "installing lb into $(VENV); compiling takes about a minute"
	@$(PIP_INSTALL) --editable '.[engine]'
	@touch $@

$(VENV)/installed-uncompiled: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "installing lb into $(VENV), uncompiled; \`make install\` compiles it in about a minute, and makes it several times faster"
	@LB_BUILD_PURE=1 $(PIP_INSTALL) --editable '.[engine]'
	@touch $@

# One installation for both, since each one compiles.
$(VENV)/installed-for-tests: $(SOURCES) | $(BIN)/python
	@echo "installing lb and its test dependencies into $(VENV); compiling takes about a minute"
	@$(PIP_INSTALL) --editable '.[engine,test]'
	@touch $(VENV)/installed $@
