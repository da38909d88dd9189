# make run   one command from an empty clone to a served model
# make test  everything CI checks
# make help  the rest
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
.DEFAULT_GOAL := help
.PHONY: help run test check lint types layers redis postgresql unit format lock proto proto-check reference reference-check dify-table text-tables text-tables-lock clients clients-lock bench-engine bench-gateway bench-apps bench-guardrails bench-knowledge bench-peers bench-lock train-guard guard-lock chaos clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.bootstrap: requirements-bootstrap.lock
	@$(PYTHON) scripts/check_python.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "seekway: $(PYTHON) cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "seekway: installing uv into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(VENV)/.runtime: $(VENV)/.bootstrap requirements.lock pyproject.toml
	@echo "seekway: installing from requirements.lock"
	@$(UV) pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "seekway: installing from requirements-dev.lock"
	@$(UV) pip install --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/.runtime ## Install what is missing and serve on 127.0.0.1:8000; CONFIG=FILE for settings of your own
	@exec $(BIN)/seekway $(if $(CONFIG),--config $(CONFIG)) up

test: check clients unit ## Everything CI checks

check: lint types layers proto-check reference-check ## Static checks only

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(VENV)/.dev
	@$(BIN)/basedpyright

layers: $(VENV)/.dev
	@$(BIN)/lint-imports

redis: ## Install redis-server, which some tests drive, where it is missing and that is permitted
	@if command -v redis-server >/dev/null; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "seekway: redis-server is missing and cannot be installed here; the tests that drive it are skipped" >&2; \
	else echo "seekway: installing redis-server"; \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends redis-server; } >/dev/null 2>&1 || \
	  echo "seekway: redis-server could not be installed; the tests that drive it are skipped" >&2; \
	fi

postgresql: ## Install PostgreSQL, which some tests drive, where it is missing and that is permitted
	@if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "seekway: PostgreSQL is missing and cannot be installed here; the tests that drive it are skipped" >&2; \
	else echo "seekway: installing PostgreSQL"; \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends postgresql; } >/dev/null 2>&1 || \
	  echo "seekway: PostgreSQL could not be installed; the tests that drive it are skipped" >&2; \
	fi

unit: $(VENV)/.dev redis postgresql ## All tests
	@$(BIN)/python -m pytest

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

TEXT_TABLES := .cache/text-tables
text-tables: $(VENV)/.bootstrap ## Make the tables that say what characters stand for again
	@if ! cmp -s scripts/requirements-text-tables.lock $(TEXT_TABLES)/installed.lock; then \
	  $(UV) venv --quiet --clear --python $(BIN)/python $(TEXT_TABLES) && \
	  $(UV) pip install --quiet --python $(TEXT_TABLES)/bin/python --require-hashes -r scripts/requirements-text-tables.lock && \
	  cp scripts/requirements-text-tables.lock $(TEXT_TABLES)/installed.lock; \
	fi
	@$(TEXT_TABLES)/bin/python scripts/make_text_tables.py

text-tables-lock: $(VENV)/.bootstrap ## Resolve what the tables are made from again
	@$(LOCK) scripts/requirements-text-tables.in -o scripts/requirements-text-tables.lock

proto: $(VENV)/.dev ## Make the gRPC code again from proto/
	@$(BIN)/python scripts/make_proto.py

reference: $(VENV)/.dev ## Make docs/reference/ again from the code
	@$(BIN)/python scripts/make_reference.py

reference-check: $(VENV)/.dev
	@$(BIN)/python scripts/make_reference.py --check

dify-table: $(VENV)/.dev ## Make the table of docs/reference/dify.md again by asking every endpoint
	@$(BIN)/python -m tests.contract.dify_table

proto-check: $(VENV)/.dev
	@$(BIN)/python scripts/make_proto.py --check

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: $(VENV)/.bootstrap ## Resolve the dependencies again
	@$(LOCK) requirements-bootstrap.in -o requirements-bootstrap.lock
	@$(LOCK) pyproject.toml requirements-build.in -o requirements.lock
	@$(LOCK) --extra dev pyproject.toml requirements-build.in -c requirements.lock -o requirements-dev.lock

CLIENTS := openai anthropic langchain litellm dify difyclient difydataset difyoapi difypython schemathesis
NODE_CLIENTS := tests/contract/node
clients: $(VENV)/.bootstrap ## Install the published clients that the contract tests drive
	@set -e; for name in $(CLIENTS); do \
	  lock=tests/contract/requirements-$$name.lock; home=.cache/clients/$$name; \
	  if cmp -s $$lock $$home/installed.lock; then continue; fi; \
	  echo "seekway: installing the client $$name"; \
	  $(UV) venv --quiet --clear --python $(BIN)/python $$home; \
	  $(UV) pip install --quiet --python $$home/bin/python --require-hashes -r $$lock; \
	  cp $$lock $$home/installed.lock; \
	done
	@if ! command -v npm >/dev/null; then echo "seekway: npm is missing; the clients for Node.js are left out" >&2; \
	elif ! cmp -s $(NODE_CLIENTS)/package-lock.json $(NODE_CLIENTS)/node_modules/installed.lock; then \
	  echo "seekway: installing the clients for Node.js"; \
	  (cd $(NODE_CLIENTS) && npm ci --silent --ignore-scripts --no-audit --no-fund) && \
	  cp $(NODE_CLIENTS)/package-lock.json $(NODE_CLIENTS)/node_modules/installed.lock; \
	fi

clients-lock: $(VENV)/.bootstrap ## Resolve the published clients again
	@set -e; for name in $(CLIENTS); do $(LOCK) tests/contract/requirements-$$name.in -o tests/contract/requirements-$$name.lock; done
	@cd $(NODE_CLIENTS) && npm install --silent --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
	@$(BIN)/python scripts/strip_lock.py $(NODE_CLIENTS)/package-lock.json

FUZZ := .cache/fuzz/site
TARGET ?= http
fuzz: $(VENV)/.dev ## Attack the wire code for long; TARGET=http, bodies, encoders, upstream, guardrails, normaliser, words, pii, secrets or reviewer, ARGS for libFuzzer
	@if ! cmp -s tests/fuzz/requirements.lock $(FUZZ)/installed.lock; then \
	  rm -rf $(FUZZ) && $(UV) pip install --quiet --python $(BIN)/python --target $(FUZZ) --require-hashes -r tests/fuzz/requirements.lock && \
	  cp tests/fuzz/requirements.lock $(FUZZ)/installed.lock; \
	fi
	@PYTHONPATH=$(FUZZ) $(BIN)/python -m tests.fuzz $(TARGET) -timeout=20 -artifact_prefix=.cache/fuzz/ $(or $(ARGS),-max_total_time=600)

api-fuzz: $(VENV)/.dev clients ## Ask a gateway all that /openapi.json allows, and more; ARGS for schemathesis
	@$(BIN)/python -m tests.fuzz.openapi_run $(or $(ARGS),--max-examples 200)

fuzz-lock: $(VENV)/.bootstrap ## Resolve the fuzzing engine again
	@$(LOCK) tests/fuzz/requirements.in -o tests/fuzz/requirements.lock

bench-engine: $(VENV)/.dev ## Figures of engine, gateway and direct mode, into benchmarks/results/; ARGS=--short for a quick one
	@$(BIN)/python -m benchmarks.engine $(ARGS)

LITELLM_LOCK := benchmarks/gateway/requirements-litellm
LITELLM_HOME := .cache/bench/litellm
bench-gateway: $(VENV)/.dev bench-peers ## CPU, latency and memory of the gateway against nginx and LiteLLM; ARGS=--short for a minute, ARGS="features keys" for parts
	@$(BIN)/python -m benchmarks.gateway $(ARGS)

bench-apps: $(VENV)/.dev ## 50 users who chat with the customer service against a mock model, and the example on the demo model; ARGS=--short for a quick one
	@$(BIN)/python -m benchmarks.apps $(ARGS)

bench-peers: $(VENV)/.bootstrap ## Install what the gateway is measured against: LiteLLM's proxy here, nginx with apt where root may
	@if ! cmp -s $(LITELLM_LOCK).lock $(LITELLM_HOME)/installed.lock; then \
	  echo "seekway: installing LiteLLM's proxy into $(LITELLM_HOME)"; \
	  $(UV) venv --quiet --clear --python $(BIN)/python $(LITELLM_HOME) && \
	  $(UV) pip install --quiet --python $(LITELLM_HOME)/bin/python --require-hashes -r $(LITELLM_LOCK).lock && \
	  cp $(LITELLM_LOCK).lock $(LITELLM_HOME)/installed.lock || echo "seekway: LiteLLM could not be installed; the benchmark leaves it out" >&2; \
	fi
	@PATH="$$PATH:/usr/sbin"; if ! command -v nginx >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "seekway: installing nginx-light with apt"; \
	    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends nginx-light >/dev/null || echo "seekway: nginx could not be installed; the benchmark leaves it out" >&2; \
	  else echo "seekway: nginx is missing and the benchmark leaves it out; on Debian or Ubuntu: apt-get install nginx-light" >&2; fi; \
	fi

GUARD_PEERS := pyahocorasick presidio injection
bench-guardrails: $(VENV)/.dev ## CPU, memory and recall of the guardrails beside pyahocorasick, Presidio and an injection scanner; ARGS=--short for a quick one
	@for name in $(GUARD_PEERS); do \
	  lock=benchmarks/guardrails/requirements-$$name.lock; home=.cache/bench/guardrails/$$name; \
	  if cmp -s $$lock $$home/installed.lock; then continue; fi; \
	  echo "seekway: installing $$name into $$home"; \
	  $(UV) venv --quiet --clear --python $(BIN)/python $$home && \
	  $(UV) pip install --quiet --python $$home/bin/python --require-hashes -r $$lock && \
	  cp $$lock $$home/installed.lock || { rm -rf $$home; echo "seekway: $$name could not be installed; the benchmark leaves it out" >&2; }; \
	done
	@$(BIN)/python -m benchmarks.guardrails $(ARGS)

KNOWLEDGE_PEERS := lancedb chroma
bench-knowledge: $(VENV)/.dev ## Latency, ingest rate and memory of retrieval over 1,000 to 100,000 passages, beside LanceDB and Chroma; ARGS=--short for a quick one
	@for name in $(KNOWLEDGE_PEERS); do \
	  lock=benchmarks/knowledge/requirements-$$name.lock; home=.cache/bench/knowledge/$$name; \
	  if cmp -s $$lock $$home/installed.lock; then continue; fi; \
	  echo "seekway: installing $$name into $$home"; \
	  $(UV) venv --quiet --clear --python $(BIN)/python $$home && \
	  $(UV) pip install --quiet --python $$home/bin/python --require-hashes -r $$lock && \
	  cp $$lock $$home/installed.lock || { rm -rf $$home; echo "seekway: $$name could not be installed; the benchmark leaves it out" >&2; }; \
	done
	@$(BIN)/python -m benchmarks.knowledge $(ARGS)

bench-lock: $(VENV)/.bootstrap ## Resolve again what the benchmarks measure against
	@$(LOCK) $(LITELLM_LOCK).in -o $(LITELLM_LOCK).lock
	@set -e; for name in $(GUARD_PEERS); do $(LOCK) benchmarks/guardrails/requirements-$$name.in -o benchmarks/guardrails/requirements-$$name.lock; done
	@set -e; for name in $(KNOWLEDGE_PEERS); do $(LOCK) benchmarks/knowledge/requirements-$$name.in -o benchmarks/knowledge/requirements-$$name.lock; done

GUARD := scripts/guard_training
GUARD_HOME := .cache/guard/packages
train-guard: $(VENV)/.dev ## Train the injection classifier again and measure it; ARGS=--quick leaves out a table
	@if ! cmp -s $(GUARD)/requirements.lock $(GUARD_HOME)/installed.lock; then \
	  echo "seekway: installing the packages the classifier learns from into $(GUARD_HOME)"; \
	  rm -rf $(GUARD_HOME) && $(UV) pip install --quiet --no-deps --python $(BIN)/python --target $(GUARD_HOME) --require-hashes -r $(GUARD)/requirements.lock && \
	  cp $(GUARD)/requirements.lock $(GUARD_HOME)/installed.lock; \
	fi
	@$(BIN)/python -m scripts.guard_training $(GUARD_HOME) $(ARGS)

guard-lock: $(VENV)/.bootstrap ## Resolve the packages the classifier learns from again
	@$(LOCK) --no-deps $(GUARD)/requirements.in -o $(GUARD)/requirements.lock

chaos: $(VENV)/.dev ## Faults under load with a verdict each; ARGS=--short for CI's part, ARGS="NAME ..." for some, ARGS=--list for their names
	@$(BIN)/python -m tests.chaos $(ARGS)

clean: ## Remove what was installed and cached here
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache
