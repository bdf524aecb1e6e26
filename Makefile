# Two commands to start with: `make demo` and `make test`. Each brings what it needs into .venv.

PYTHON ?= python3
STAGE ?= prod
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv)
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python -r, \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r)

# The environment grows with what is asked of it; each file says that one part is there.
OPS := $(VENV)/.ops
DEMO := $(VENV)/.demo
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
# .venv is this project's own: compile what is imported once, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
# `chalice logs` and `chalice invoke` never import the app, which pins the region.
HOME_REGION = $$($(BIN)/python -c 'from ops.project.config_file import ConfigFile; \
  print(ConfigFile.read().home_region("$(STAGE)"))')
EVENT ?= playground/events/iam-user-with-mfa.json

.PHONY: help demo tour local test test-unit check golden mutants setup deploy doctor logs invoke bench profile scaling storm clean

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "signin-monitor needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making an environment of its own in $(VENV) …"
	@$(if $(UV),$(UV) venv --quiet --python $(PYTHON),$(PYTHON) -m venv) $(VENV)

$(OPS): requirements.txt requirements-ops.txt | $(BIN)/python
	@echo "Downloading Chalice, boto3 and what they need: 28 MB, once …"
	@$(INSTALL) requirements-ops.txt
	@touch $@

$(DEMO): requirements.txt requirements-demo.txt | $(BIN)/python
	@echo "Downloading an embedded AWS, Chalice and what they need: 35 MB, once …"
	@$(INSTALL) requirements-demo.txt
	@touch $@

$(READY): requirements.txt requirements-ops.txt requirements-demo.txt requirements-dev.txt | $(BIN)/python
	@echo "Downloading what the tests need: 130 MB, once; a minute or two …"
	@$(INSTALL) requirements-dev.txt
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # else each worker of the tests does it
	@touch $(OPS) $(DEMO) $@

demo: $(DEMO)  ## see sign-ins reach a channel, with no AWS account and no Slack
	@$(BIN)/python -m playground demo

tour: $(DEMO)  ## the same in the terminal, through the deployed package
	@$(BIN)/python -m playground tour

local: $(DEMO)  ## chalice local, with the page
	$(BIN)/chalice local --stage local

test: $(READY)  ## every test
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov --cov-report=
	$(BIN)/coverage report --include='app.py,chalicelib/*' --fail-under=100
	$(BIN)/coverage report --include='ops/*' --fail-under=95

test-unit: $(READY)  ## the tests that need no AWS and no browser, in seconds
	$(BIN)/python -m pytest -n 2 --unit

check: $(READY)  ## linters and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_import_rules.py
	$(BIN)/zizmor --offline --quiet .github/workflows docs/examples

golden: $(READY)  ## rewrite the golden messages and the pictures in docs
	$(BIN)/python -m pytest --rewrite-golden -q tests/test_golden.py tests/signin tests/mfa_audit \
	  tests/self_check tests/playground/test_page.py -k "golden or routine or spray"

mutants: $(READY)  ## do the tests notice a change in what delivery rests on? (half an hour)
	$(BIN)/mutmut run
	$(BIN)/mutmut results

setup: $(OPS)  ## make what a stage needs in its account: STAGE=prod
	@$(BIN)/python -m ops setup --stage $(STAGE)

# Chalice reads the settings before it imports the app; a setting that is no string would end it in
# a traceback, so our own command reads them first.
deploy: $(OPS)  ## deploy a stage: STAGE=prod
	@$(BIN)/python -m ops policies --stage $(STAGE) > /dev/null
	@$(BIN)/chalice deploy --stage $(STAGE)

doctor: $(OPS)  ## check every step from a sign-in to the channel: STAGE=prod
	@$(BIN)/python -m ops doctor --stage $(STAGE)

logs: $(OPS)  ## follow the log of a deployed stage: STAGE=prod
	@$(BIN)/python -m ops policies --stage $(STAGE) > /dev/null
	AWS_DEFAULT_REGION=$(HOME_REGION) $(BIN)/chalice logs --stage $(STAGE) --name on_sign_in --follow

invoke: $(OPS)  ## send an event to a deployed stage: STAGE=prod EVENT=file.json
	@$(BIN)/python -m ops policies --stage $(STAGE) > /dev/null
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
	rm -rf $(VENV) mutants vendor .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .chalice/deployments .chalice/deployed .chalice/venv build
