# `make run` starts Tomato and `make test` tests it, each from a bare clone with Python 3.11
# and pip. What they need is installed into .uv and .venv here, and only when it has changed.

UV_VERSION := 0.13.9
UV ?= .uv/bin/uv
BIN := .venv/bin
RUNTIME := .venv/.runtime
TESTS := .venv/.tests
BENCHMARKS := .venv/.benchmarks
# Three workers: the tests often wait for servers that they start or kill.
PYTEST_FLAGS := -n 3 --dist worksteal $(if $(CI),-p tests.no_skips)

.DEFAULT_GOAL := help
.PHONY: help run test check lint types imports pytest format bench web system clean

help: ## List the commands.
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

run: $(RUNTIME) ## Start the server; options of `tomato serve` go into ARGS.
	@$(BIN)/tomato serve $(ARGS)

test: system check ## Install what the tests need, then pass `make check`.

check: lint types imports pytest ## Lint, types, import contracts, all tests.

lint: $(TESTS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(TESTS)
	$(BIN)/mypy

imports: $(TESTS)
	$(BIN)/lint-imports --no-cache

pytest: $(TESTS)
	$(BIN)/python -m pytest $(PYTEST_FLAGS) $(ARGS)

format: $(TESTS) ## Format the code.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(BENCHMARKS) ## Run every benchmark in tests/benchmarks.
	@for file in tests/benchmarks/[a-z]*.py; do \
		$(BIN)/python -m tests.benchmarks.$$(basename $$file .py) || exit 1; \
	done

web: ## Fetch the newest of the page's two libraries (needs npm).
	cd $$(mktemp -d) && npm pack --silent marked dompurify >/dev/null && \
	for package in *.tgz; do tar -xzf $$package --one-top-level; done && \
	cp marked-*/package/lib/marked.esm.js dompurify-*/package/dist/purify.min.js \
		$(CURDIR)/server/web/vendor/

# Chromium opens the pages, driven by a program that needs libatomic; the MongoDB server that the
# tests start needs libcurl.
system:
	@missing=; \
	command -v chromium >/dev/null || missing="chromium"; \
	python3 -c 'import ctypes; ctypes.CDLL("libcurl.so.4")' 2>/dev/null || \
		missing="$$missing libcurl4"; \
	python3 -c 'import ctypes; ctypes.CDLL("libatomic.so.1")' 2>/dev/null || \
		missing="$$missing libatomic1"; \
	if [ -z "$$missing" ]; then exit; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "The tests need these packages: $$missing (sudo apt-get install $$missing)." >&2; \
		exit 1; \
	fi; \
	apt-get update -q && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing

clean: ## Remove what was installed and cached here; data/ stays.
	rm -rf .uv .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/output

.uv/bin/uv:
	python3 -m pip install --quiet --disable-pip-version-check --target .uv uv==$(UV_VERSION)

# Without --inexact, `make run` would take away what `make test` has installed.
$(RUNTIME): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --no-dev --inexact --compile-bytecode
	@touch $@

$(TESTS): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --inexact --all-extras --compile-bytecode
	@touch $(RUNTIME) $@

$(BENCHMARKS): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --inexact --all-extras --group bench --compile-bytecode
	@touch $(RUNTIME) $(TESTS) $@
