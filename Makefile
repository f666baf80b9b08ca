# What people and .ci/run call. PYTHON is the interpreter of the environment to work in.
PYTHON ?= python
NEWEST_SUPERVISION := $(shell sed -n 's/^NEWEST = "\(.*\)"$$/\1/p' tests/supervision_versions.py)
OLDEST_SUPERVISION := $(shell sed -n 's/^dependencies.*supervision>=\([0-9.]*\).*/\1/p' pyproject.toml).0

.PHONY: develop test crash fuzz soak debug debug-build debug-test oldest lint format types doctest bench smoke dist clean

develop:        ## install editable, with everything for development
	$(PYTHON) -m pip install --editable ".[dev]"

test:           ## the whole suite on the installed build
	$(PYTHON) -m pytest

crash:          ## all states that a killed writer or a power failure may leave; the suite takes a sample of them
	COMPACTMASK_EFFORT=all $(PYTHON) -m pytest --durations=0 tests/test_crash_*.py

fuzz:           ## a minute of broken documents of each kind; the suite takes less than a second
	COMPACTMASK_FUZZ_SECONDS=60 $(PYTHON) -m pytest tests/test_fuzz_json.py

soak:           ## a writer and four readers for ten minutes with each compression; the suite takes seconds
	COMPACTMASK_SOAK_SECONDS=600 $(PYTHON) -m pytest -s tests/test_soak.py

debug: debug-build debug-test  ## the whole suite on a build that checks bounds and overflow, in an environment of its own

debug-build:
	$(PYTHON) -m venv build/debug-venv
	COMPACTMASK_DEBUG=1 build/debug-venv/bin/python -m pip install --quiet ".[demo,test]" "supervision==$(NEWEST_SUPERVISION)"

debug-test:
	COMPACTMASK_EFFORT=little build/debug-venv/bin/pytest

oldest: dist    ## what supervision does with masks of the wheel, on the oldest release of it that is supported
	$(PYTHON) -m venv build/oldest-venv
	build/oldest-venv/bin/python -m pip install --quiet "$$(echo dist/*.whl)[test]" "supervision==$(OLDEST_SUPERVISION)"
	build/oldest-venv/bin/pytest tests/test_supervision_surface.py tests/test_mask_supervision.py tests/test_install.py tests/test_nms.py tests/test_overlap.py

lint:           ## style, unused names, docstrings
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

types:          ## mypy, strict; the link brings formats/ along
	$(PYTHON) -m mypy

doctest:        ## every example in a docstring
	$(PYTHON) -m pytest --doctest-modules --pyargs compactmask compactmask.formats

bench:          ## all benchmarks against the rivals, as a Markdown report
	$(PYTHON) -m benchmarks

smoke:          ## one quick pass of the benchmarks
	$(PYTHON) -m benchmarks --smoke

dist:           ## sdist and wheel, checked for what they must and must not hold
	rm -rf dist
	$(PYTHON) -m build
	$(PYTHON) tests/check_dist.py dist

clean:
	rm -rf build dist *.egg-info compactmask/_kernels/*.so
