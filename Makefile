# Each target sets up what it needs in .venv, at the versions that constraints.txt pins.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check format schemas docs pictures bench bench-instructions conformance \
	pythons lowest explore chaos seeded-bugs wheel-smoke browser postgres editor clean

demo: .venv/.installed
	$(BIN)/python examples/criteo/demo.py

test: .venv/.ready browser postgres
	$(BIN)/python -m pytest

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schemas: .venv/.ready
	$(BIN)/actions schemas

# BENCH may name parts and sizes, see `python benchmarks/run.py --help`.
bench: .venv/.bench
	$(BIN)/python benchmarks/run.py $(BENCH)
	$(if $(BENCH),,$(BIN)/python benchmarks/scale.py)

bench-instructions: .venv/.ready
	$(BIN)/python benchmarks/instructions.py

# The generated pages, and the site from all pages, which fails on a link that leads nowhere.
docs: .venv/.ready
	$(BIN)/actions validate --explain all > docs/diagnostics.md
	$(BIN)/python -m tests.reference_pages
	$(BIN)/python -m tests.conformance.differences
	$(BIN)/python -m tests.conformance.parity
	$(BIN)/python scripts/site.py

# The pictures of the tester's page in the docs, from a real browser.
pictures: .venv/.ready browser
	PICTURES=1 $(BIN)/python -m pytest -q tests/tester/test_pictures.py

conformance: .venv/.ready
	$(BIN)/python -m tests.conformance

# The non-browser tests on every Python that is found; OPTIONS may bound it: `--seconds 900 --others`.
pythons: .venv/.ready
	$(BIN)/python scripts/pythons.py $(OPTIONS)

# The same with the lowest allowed versions of what the package needs.
lowest: .venv/.ready
	$(BIN)/python scripts/pythons.py --lowest $(OPTIONS)

# Property tests with new examples, for at most 5 minutes or as OPTIONS say.
explore: .venv/.ready
	$(BIN)/python scripts/explore.py $(OPTIONS)

# A relay that is killed, frozen and stopped 200 times, or as OPTIONS say: `--kills 1000 --seed 7`.
chaos: .venv/.ready
	$(BIN)/python scripts/chaos.py $(OPTIONS)

# All mistakes that certification has to find; the tests try every third one.
seeded-bugs: .venv/.ready
	SEEDED_BUGS=all $(BIN)/python -m pytest tests/framework/testing/certify

# The built wheel, installed without the source tree.
wheel-smoke: .venv/.ready
	$(BIN)/python scripts/wheel_smoke.py

# Chromium for the tests of the tester's page, which are skipped where there is none.
browser:
	@scripts/install-browser

# PostgreSQL for the tests of its store, which are skipped where there is none.
postgres:
	@scripts/install-postgres

# The page's editor as one file, made anew from its packages; needs npm.
editor:
	mkdir -p build/editor
	cp scripts/editor/* build/editor/
	cd build/editor && npm install --no-package-lock --no-audit --no-fund
	cd build/editor && npm run --silent build -- ../../framework/tester/page/vendor ../../tests/tester/vendor

# The package alone, without the tools of development.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.ready: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable .
	touch $@

.venv/.bench: .venv/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	touch $@

clean:
	rm -rf .venv .venv-* build .mypy_cache .pytest_cache .ruff_cache .hypothesis demo
