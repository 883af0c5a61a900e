PYTHON ?= python3.11
VENV ?= .venv
# Other projects' packages for `make bench`, made by `make rivals`: some gigabytes, never CI's.
RIVALS ?= rivals/bin/python
BIN := $(VENV)/bin
GCP := $(VENV)/gcp
INSTALLED := $(VENV)/.installed

.PHONY: demo test dataflow lint bench rivals flink lock format clean

$(INSTALLED): setup.py requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[build,demo,dev]'
	touch $@

demo: $(INSTALLED)
	$(BIN)/python -m demo

test: $(INSTALLED)
	$(BIN)/python -m pytest

# The job as DataflowRunner would submit it. Google's hundred packages lie in an environment on top of ours.
dataflow: $(GCP)/.installed
	$(GCP)/bin/python -m pytest tests/runners/test_dataflow.py

$(GCP)/.installed: $(INSTALLED)
	$(BIN)/python -m venv --without-pip $(GCP)
	$(BIN)/python -c 'import sys; print(*[p for p in sys.path if "site-packages" in p], sep="\n")' \
		> "$$(echo $(GCP)/lib/python3*/site-packages)/base.pth"
	$(BIN)/python -m pip --python $(GCP)/bin/python install --quiet --constraint requirements.lock 'apache-beam[gcp]'
	touch $@

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

bench: $(INSTALLED) $(if $(filter rivals/bin/python,$(RIVALS)),rivals/.installed)
	$(BIN)/python -m benchmarks --json bench.json
	$(BIN)/python -m benchmarks.decode --write docs/decoding.md
	$(BIN)/python -m benchmarks.loading --write docs/loading.md
	$(BIN)/python -m benchmarks.rivals --python $(RIVALS) --write docs/rivals.md

rivals: rivals/.installed

rivals/.installed: benchmarks/rivals/requirements.txt
	test -x rivals/bin/python || $(PYTHON) -m venv rivals
	rivals/bin/python -m pip install --quiet --requirement benchmarks/rivals/requirements.txt
	touch $@

flink: $(INSTALLED)
	$(BIN)/python -m runners in-process flink

# After a change of setup.py: adds what it wants; UPGRADE=--upgrade takes the newest of everything.
lock: $(INSTALLED)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --all-extras $(UPGRADE) \
		--custom-compile-command 'make lock' --output-file requirements.lock setup.py
	$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-annotate \
		--extra build --extra gcp --constraint requirements.lock --upgrade \
		--custom-compile-command 'make lock' --output-file deploy/constraints.txt setup.py

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
