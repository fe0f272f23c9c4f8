# VRNN Lab: every target sets up .venv by itself. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
TOOLS := .venv-tools/.installed
UV := .venv-tools/bin/uv
EYE := outputs/eye/defaults-e3b0c442
.DEFAULT_GOAL := help

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(TOOLS):
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/pip install --quiet --disable-pip-version-check uv pip-audit
	touch $@

.PHONY: help setup train quick results music pictures screenshots benchmark test test-sweeps test-slurm torture shows lint format tensorboard docs lock test-lowest audit clean
help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(STAMP)  ## create .venv from requirements.lock

train: $(STAMP)  ## learn the eye, draw it, score it against the truth (again: continues or says it is done)
	$(BIN)/vrnn train experiment=eye $(ARGS)

quick: $(STAMP)  ## the same path in 20 seconds: a look, not a result
	$(BIN)/vrnn train experiment=quick $(ARGS)

results: $(STAMP)  ## run every study of docs/results and write its page (ARGS=--full: five seeds and more, a night)
	$(BIN)/python -m tools.results $(ARGS)

music: $(STAMP)  ## learn piano rolls, write docs/music.md (ARGS="--data DIR"; with --full: four sets, five seeds)
	$(BIN)/python tools/music.py $(ARGS)

pictures: $(STAMP)  ## the README's pictures of the eye: what is drawn, where z works, a gap filled
	for name in eye blog_eye; do $(BIN)/vrnn train experiment=$$name || exit 1; done
	$(BIN)/python tools/picture.py $(EYE) outputs/blog_eye/defaults-e3b0c442 docs/eye.gif
	cp $(EYE)/figures/latent.png docs/where.png
	$(BIN)/vrnn generate run=$(EYE) n=1 steps=160 seed=1 format=npz out=outputs/drawing.npz
	$(BIN)/vrnn impute run=$(EYE) drawing=outputs/drawing.npz gap=[60,110] out=docs/imputed.png

screenshots: $(STAMP)  ## the docs' screenshots of TensorBoard and of vrnn draw, with runs of their own (Chromium; 10 minutes)
	$(BIN)/vrnn train -m sweep=screenshots experiment=quick recurrence=gru,lstm,elman seed=0,1 hydra/launcher=cores
	$(BIN)/python -m tools.screenshot outputs/screenshots docs/hparams.png --height 560
	$(BIN)/python -m tools.screenshot outputs/screenshots docs/curves.png --tab custom_scalars
	$(BIN)/python -m tools.draw_minute --pictures docs

benchmark: $(STAMP)  ## how fast the engines are, next to each other (leave the machine alone meanwhile)
	$(BIN)/vrnn benchmark --threads 1 2 $(ARGS)

test: $(STAMP)  ## every test but the long ones of many processes
	$(BIN)/pytest -n 2 $(ARGS)

test-sweeps: $(STAMP)  ## the tests of sweeps, searches and torchrun, with many processes
	$(BIN)/pytest -m sweeps

test-slurm: $(STAMP)  ## the tests on a real Slurm (Debian: apt install slurm-wlm munge; as root)
	$(BIN)/pytest -m slurm

torture: $(STAMP)  ## faults of all kinds against the real program, and a table of what survived (10 to 20 minutes)
	$(BIN)/python -m tests.torture $(ARGS)

lint: $(STAMP)  ## ruff, mypy and the import contracts
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(STAMP)  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

tensorboard: $(STAMP)  ## TensorBoard over every run in outputs/
	$(BIN)/tensorboard --logdir outputs $(ARGS)

docs: $(STAMP)  ## build the documentation's site in docs/_build/html (a warning is an error)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .[docs]
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html $(ARGS)

lock: $(STAMP) $(TOOLS)  ## write requirements.lock from what is installed (no local build suffixes), and the one with hashes
	$(BIN)/pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu$$//' > requirements.lock
	$(UV) pip compile requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		-q -o requirements-hashed.lock

test-lowest: $(TOOLS)  ## the tests that need no compiled kernels, with the lowest versions pyproject.toml allows
	$(UV) venv -q --clear --python 3.11 .venv-lowest
	$(UV) pip install -q --python .venv-lowest/bin/python --resolution lowest-direct -e .[dev,digits,sweeps]
	.venv-lowest/bin/python -m pytest -n 2 -W default $(or $(ARGS),tests/patterns tests/objective tests/evaluation tests/test_cli.py)

audit: $(TOOLS)  ## known vulnerabilities of the locked packages (needs the network)
	.venv-tools/bin/python tools/audit.py

shows: $(STAMP)  ## what docs/sweeps.md claims of sweeps, at full size (about 40 minutes)
	$(BIN)/pytest -m shows -s

clean:  ## remove .venv and caches; outputs/ stays
	rm -rf .venv .venv-lowest .venv-tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
