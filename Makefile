# Every target works on a fresh clone: the virtual environment is made on first use and remade when the
# dependencies change. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Hundreds of processes are started here: each would compile the sources anew where the caller forbids bytecode files.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-long coverage mutants chaos check docs release bench install clean
.DEFAULT_GOAL := install

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "claude-comm needs Python 3.11 or newer; set PYTHON=python3.x"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "no venv module: on Debian, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/claude-comm demo

# Six processes, of which three or four wait for something; each has servers of its own. A file stays whole, so that what
# its tests share is made once; the longest begin first (tests/support/order.py).
test: $(STAMP)
	@$(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder

test-long: $(STAMP)
	@TEST_EXAMPLES=all $(BIN)/python -m pytest -n 4 --dist loadfile -m 'long or by_chance'

# The tests, with each line and branch that they run counted in their own processes, and what floors 0 to 2 have left.
coverage: $(STAMP)
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-report=
	@$(BIN)/python tools/covered.py

# Small changes of the code that no test notices: all of delivery, and SAMPLE of the schema engine. The tests of the
# engine that start processes run the unchanged code there.
SAMPLE ?= 200
mutants: $(STAMP)
	@-$(BIN)/python tools/mutants.py claude_comm/delivery --tests tests/delivery
	@-$(BIN)/python tools/mutants.py claude_comm/schema --sample $(SAMPLE) --slowest 4 --most 4 --tests tests/schema \
		--deselect tests/schema/test_hostile.py tests/schema/test_keyword_tables.py \
			tests/schema/containment/test_same_everywhere.py

# Everything killed, stopped and cut off at random; the same faults for the same seed. FSYNC is the server's.
SECONDS ?= 60
SEED ?= 1
FSYNC ?= always
LEAST ?= 0
chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED) --fsync $(FSYNC) --least-faults $(LEAST)

check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/python tools/twins.py --check

# The pages as a site that works from the folder, without a network: build/site/index.html.
docs: $(STAMP)
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m sphinx -W -q -b html -d build/doctrees docs build/site
	@echo "build/site/index.html"

# A source distribution and a wheel in dist, tried in a clean environment without the sources. Nothing is published.
release: $(STAMP)
	@$(BIN)/python tools/release.py $(RELEASE)

# The peers that the benchmarks measure beside; one that cannot be installed is skipped by name.
bench: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]' \
		|| echo "the peers could not be installed: measuring without them"
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
