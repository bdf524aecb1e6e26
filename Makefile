# Two commands to start with: `make demo` and `make test`. Both make their own environment.

PYTHON ?= python3
STAGE ?= prod
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
# `chalice logs` and `chalice invoke` never import the app, which pins the region.
HOME_REGION = $$($(BIN)/python -c 'from ops.config_file import ConfigFile; \
  print(ConfigFile.read().environment("$(STAGE)")["SIGN_IN_REGION"])')
EVENT ?= playground/events/iam-user-with-mfa.json

.PHONY: help demo tour local test check golden mutants logs invoke bench profile scaling storm clean

help:  ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "signin-monitor needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: $(READY)  ## see sign-ins reach a channel, with no AWS account and no Slack
	@$(BIN)/python -m playground demo

tour: $(READY)  ## the same in the terminal, through the deployed package
	@$(BIN)/python -m playground tour

local: $(READY)  ## chalice local, with the page
	$(BIN)/chalice local --stage local

test: $(READY)  ## every test
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

check: $(READY)  ## linters and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

golden: $(READY)  ## write the golden messages anew
	$(BIN)/python -m pytest --rewrite-golden -q tests/test_golden.py tests/mfa_audit \
	  tests/self_check tests/playground/test_page.py -k "golden or picture"

mutants: $(READY)  ## do the tests notice a change in what delivery rests on? (half an hour)
	$(BIN)/mutmut run
	$(BIN)/mutmut results

logs: $(READY)  ## follow the log of a deployed stage: STAGE=prod
	AWS_DEFAULT_REGION=$(HOME_REGION) $(BIN)/chalice logs --stage $(STAGE) --name on_sign_in --follow

invoke: $(READY)  ## send an event to a deployed stage: STAGE=prod EVENT=file.json
	AWS_DEFAULT_REGION=$(HOME_REGION) $(BIN)/chalice invoke --stage $(STAGE) --name on_sign_in < $(EVENT)

bench: $(READY)  ## measure speed and cost against four other variants, in six minutes
	$(BIN)/python -m benchmarks.bench

profile: $(READY)  ## show where the time of a cold start goes
	$(BIN)/python -m benchmarks.profile

scaling: $(READY)  ## show that time and memory stay flat over 100,000 sign-ins and whole batches
	$(BIN)/python -m benchmarks.scaling

storm: $(READY)  ## send 10,000 failed sign-ins, with root's success among them
	$(BIN)/python -m benchmarks.storm

clean:  ## remove what the commands above made
	rm -rf $(VENV) mutants vendor .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .chalice/deployments .chalice/deployed .chalice/venv
