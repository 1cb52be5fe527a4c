# Bare `make` lists the targets. Variables given to make reach the programs: `make up CELLS=4`.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install run up down reset restart status check fmt test test-long bench lock images manifests contracts

# Without compiled files each of many processes would compile the same modules anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
ROOTS := . libs services/relations/src services/wallet/src services/settlement/src services/gateway/src
SQL = $(wildcard services/*/migrations/*.sql sandbox/migrations/*.sql libs/kit/schema/*.sql)
PROGRAMS := sandbox services/relations services/wallet services/settlement services/gateway
TYPED = $(wildcard deploy libs sandbox services/*/src tests)

ENGINE ?= docker
BASE ?= python:3.11-slim
TAG ?= local

LOCK = $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host \
  --no-emit-find-links --no-annotate --no-header --allow-unsafe --strip-extras

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## the virtual environment, from the hashed lock (once)

$(STAMP): requirements.lock Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Gongji needs Python 3.11 or newer as $(PYTHON); or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) lacks venv; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing what requirements.lock names; a minute or two, once …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@for root in $(ROOTS); do echo "$(CURDIR)/$$root"; done | sed 's:/\.$$::' \
	  > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/gongji.pth"
	@touch $@

run: install ## play the scenario on a running stack or on its own; CHAOS=wallet kills one in the middle
	@$(BIN)/python -m deploy.local run

up: install ## start everything in the background; CELLS=4, EMPTY_PROVINCES=360000, GATEWAY_PORT=18080, …
	@$(BIN)/python -m deploy.local up

down: install ## stop everything
	@$(BIN)/python -m deploy.local down

reset: install ## stop everything and forget its data
	@$(BIN)/python -m deploy.local reset

restart: install ## restart one of them: NAME=wallet
	@$(BIN)/python -m deploy.local restart $(NAME)

status: install ## what runs, and where
	@$(BIN)/python -m deploy.local status

check: install ## lint, types, rooms, SQL, and what the repository promises about itself
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/squawk $(SQL)
	$(BIN)/pytest -q tests/tidy

fmt: install ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install ## every test but the long ones
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" tests

test-long: install ## the long ones and every fault; what faults did is told in var/faults.md
	$(BIN)/pytest -m "long or fault" --fault-report=var/faults tests

bench: install ## how fast, how right: BENCH_SECONDS=30 BENCH_CASES='payment_64 drain', docs/performance.md
	@$(BIN)/python -m tests.bench

lock: install ## requirements.in, requirements-dev.in → requirements.lock; of each program its own
	$(LOCK) -o requirements.lock requirements-dev.in
	@for home in $(PROGRAMS); do echo "$$home/requirements.lock"; \
	  $(LOCK) -c requirements.lock -o $$home/requirements.lock $$home/pyproject.toml || exit 1; done

images: ## container images of all programs: ENGINE=podman, BASE=…, TAG=…
	@for home in $(PROGRAMS); do \
	  $(ENGINE) build --file $$home/Dockerfile --build-arg BASE=$(BASE) \
	    --tag gongji/$${home##*/}:$(TAG) . || exit 1; done

manifests: install ## render deploy/kubernetes with kustomize or kubectl, and keep what came out
	@$(BIN)/python -m deploy.manifests

contracts: install ## regenerate schemas, OpenAPI, AsyncAPI and the generated docs
	$(BIN)/python -m contracts.generate
