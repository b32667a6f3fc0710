# Everything is set up by the targets themselves; Python 3.11 or newer is all that must be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# Bytecode is kept between starts even where the environment says not to (as in many images): the tests start
# hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE
FILES := --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-fast lint format types contracts check generate faults fuzz containers lock clean

demo: $(VENV)/.installed
	$(BIN)/exemplar demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(SERVE),--serve)

# More at once than cores: many tests wait for processes.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 4 $(FILES) $(ARGS)

# What starts no process and is soon done: half of all tests.
test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 $(FILES) -m "not processes and not slow" $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev
	$(BIN)/lint-imports

check: lint types contracts test

# Made-up calls from the OpenAPI document against a running service; ARGS="--examples 300 --seed 1"
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

# 20 scenarios of faults on SQLite and PostgreSQL, about an hour; ARGS="--only F1,F4 --scale small" for some.
faults: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.faults --scale full $(ARGS)

# Images built and the compose file run with podman, as root on Debian 12: a quarter of an hour to an hour, 45 GB of disk.
containers: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.containers $(ARGS)

# Makes anew what is generated: the client from the API, the pages of settings and commands.
generate: $(VENV)/.installed-dev
	$(BIN)/python -m client.generate
	$(BIN)/python -m tests.test_docs > docs/settings.md
	$(BIN)/python -m tests.test_cli_docs > docs/cli.md

# Writes the locked versions anew from pyproject.toml: of everything, of development, and of each image.
COMPILE = $(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-emit-package exemplar-client --python-version 3.11 pyproject.toml
IMAGE := --extra s3 --extra tracing
lock: $(UV)
	$(COMPILE) --extra all -o requirements.lock
	$(COMPILE) --all-extras --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) $(IMAGE) -c requirements-dev.lock -o requirements-api.lock
	$(COMPILE) $(IMAGE) --extra worker --extra lite0 -c requirements-dev.lock -o requirements-worker-gpu.lock
	$(COMPILE) $(IMAGE) --extra worker --extra lite0 --override deploy/images/cpu-overrides.txt \
		-c requirements-dev.lock -o requirements-worker.lock
	echo "pyarrow" | $(subst pyproject.toml,-,$(COMPILE)) --no-deps -c requirements-dev.lock -o requirements-parquet.lock

clean:
	rm -rf $(VENV)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

$(VENV)/.installed: requirements.lock pyproject.toml client/pyproject.toml | $(UV)
	@echo "Installing what requirements.lock names; PyTorch and its CUDA libraries are 5 GB."
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable client --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@
