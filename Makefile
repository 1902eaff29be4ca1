# make bench   set everything up, run the quick suite on whatever device is there, print a table
#              SUITE=cpu another suite; EXTRAS=peers installs what SUITE=peers compares with
# make test    set everything up, run the tests; make test-all those too that take minutes each
# make check   what a developer runs before submitting: the same script as CI
PYTHON ?= python3
VENV ?= .venv
SUITE ?= quick
OUT ?=
# More of the package's extras, such as peers for `make bench SUITE=peers EXTRAS=peers`.
EXTRAS ?=

# The CUDA build of JAX where a driver answers: CUDA 13 needs driver 580 or later.
DRIVER := $(shell nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1 | grep -oE '^[0-9]+')
CUDA := $(if $(DRIVER),$(shell test $(DRIVER) -ge 580 && echo cuda13 || echo cuda12))
comma := ,
# As many processes as there are cores, at most eight (each takes about 1 GB), and each test file in one of them. On the CPU,
# where there is a GPU too: that has tests of its own. The threads of NumPy's products only get into each other's way.
PYTEST = JAX_PLATFORMS=cpu OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n logical --maxprocesses 8 --dist loadfile
ON_GPU = $(if $(CUDA),RNN_JAX_TESTS=as_users $(VENV)/bin/python -m pytest -m gpu tests/rnn_jax)

.PHONY: bench test test-all lint tables check clean

bench: $(VENV)/.installed $(if $(EXTRAS),$(VENV)/.installed-with-$(EXTRAS))
	$(VENV)/bin/rnn-bench run $(SUITE) $(if $(OUT),--out $(OUT))

test: $(VENV)/.installed-test
	$(PYTEST) -m "not slow and not as_users_compile and not gpu"
	RNN_JAX_TESTS=as_users $(PYTEST) -m "not slow and as_users_compile and not gpu"
	$(ON_GPU)

test-all: $(VENV)/.installed-test
	$(PYTEST) --every-case -m "not as_users_compile and not gpu"
	RNN_JAX_TESTS=as_users $(PYTEST) --every-case tests/rnn_jax/jacobian
	$(ON_GPU)

lint: $(VENV)/.installed-lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

tables: $(VENV)/.installed
	$(VENV)/bin/rnn-bench tables

check:
	.ci/run

clean:
	rm -rf $(VENV) build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "rnn_jax needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -e '.$(if $(CUDA),[$(CUDA)])'
	touch $@

$(VENV)/.installed-with-%: pyproject.toml | $(VENV)/.installed
	$(VENV)/bin/python -m pip install --quiet -e '.[$*$(if $(CUDA),$(comma)$(CUDA))]'
	touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -e '.[test$(if $(CUDA),$(comma)$(CUDA))]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-lint: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -e '.[test,lint$(if $(CUDA),$(comma)$(CUDA))]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-test
