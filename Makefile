PYTHON ?= python3.11
VENV ?= .venv
# Other projects' packages for `make bench`, made by `make rivals`: some gigabytes, never CI's.
RIVALS ?= rivals/bin/python
BIN := $(VENV)/bin
GCP := $(VENV)/gcp
INSTALLED := $(VENV)/.installed
# The demo wants less than the tests do.
DEMO := $(VENV)/.demo

.PHONY: demo test docs dataflow lint bench rivals flink lock format clean

$(INSTALLED): setup.py requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "make: 260 packages into $(VENV), 7.3 GB of disk, half of it CUDA's libraries, which torch's wheel brings"
	$(BIN)/python -m pip install --constraint requirements.lock --editable '.[build,demo,dev]'
	touch $@ $(DEMO)

$(DEMO): setup.py requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "make demo: 110 packages into $(VENV), 6.1 GB of disk. 3.5 GB are CUDA's libraries, which torch's wheel brings"
	@echo "make demo: whether there is a GPU or not (torchaudio's loads beside no other). Two minutes on a fast line."
	$(BIN)/python -m pip install --constraint requirements.lock --editable '.[build,demo]'
	touch $@

demo: $(DEMO)
	$(BIN)/python -m demo

test: $(INSTALLED)
	$(BIN)/python -m pytest

# build/site/index.html: docs/ as a site; a warning is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

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
