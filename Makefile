# Two commands matter: `make demo` and `make test`. Both make .venv on their first run. Needs Python 3.11-3.13 and make.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs figures docs-serve clean

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed  ## Train PPO on CartPole, watch it and plot it: pictures in demo/ (a minute or two)
	@$(BIN)/python -m spinup.examples.demo

test: .venv/installed-dev  ## Run all tests, the slow ones too (several minutes)
	@$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

check: .venv/installed-dev  ## Format, lint, types and the fast tests (under two minutes)
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest -q -n 2 -m "not slow"

bench: .venv/installed-bench  ## A small version of every benchmark: tables and pictures in data/make_bench/ (ten minutes)
	@rm -rf data/make_bench
	@$(BIN)/python -m bench.speed --quick --out data/make_bench $(if $(COMMIT),--commit $(COMMIT))
	@$(BIN)/python -m bench.curves run --algos vpg ppo --envs Swimmer --steps 4e4 --seeds 0 1 --jobs auto --data_dir data/make_bench/runs $(if $(COMMIT),--commit $(COMMIT))
	@$(BIN)/python -m bench.curves collect data/make_bench/runs --to data/make_bench/curves
	@$(BIN)/python -m bench.curves draw data/make_bench/curves
	@$(BIN)/python -m spinup.run trpo_jax --env Hopper-v5 "--train_v_iters[v]" 0 80 --exp_name ex2-1 --epochs 10 --jobs auto --data_dir data/make_bench
	@$(BIN)/python -m spinup.run plot data/make_bench/ex2-1 --smooth 5 --save data/make_bench/exercise2_1.png
	@$(BIN)/python -m spinup.exercises.pytorch.problem_set_2.exercise2_2 --epochs 2 --seed 0 --jobs auto --data_dir data/make_bench
	@$(BIN)/python -m spinup.run plot data/make_bench/ex2-2 --smooth 3 --save data/make_bench/exercise2_2.png

docs: .venv/installed-docs  ## Build the site in docs/_build/html; any warning is an error
	@$(BIN)/python -m sphinx -q -n -W -b html docs docs/_build/html
	@echo "Built docs/_build/html/index.html"

figures: .venv/installed-docs  ## Draw the course's figures again, from the code that they are about
	@$(BIN)/python -m docs.figures

docs-serve: docs  ## Build the site and open it in a browser
	@$(BIN)/python -m webbrowser -t http://127.0.0.1:8000 &
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/_build/html 8000

clean:  ## Remove .venv, caches and demo/ (results in data/ stay)
	rm -rf .venv demo build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/made:
	@for python in "$(PYTHON)" python3.13 python3.12 python3.11; do \
	    if "$$python" -c '$(SUPPORTED)' 2>/dev/null; then \
	        "$$python" -m venv .venv && touch $@ && exit 0; \
	        echo "error: '$$python -m venv' failed; on Debian or Ubuntu it is in the package python3-venv," \
	             "or name another Python: make PYTHON=/path/to/python3" >&2; \
	        exit 1; \
	    fi; \
	done; \
	echo "error: no Python 3.11, 3.12 or 3.13 found; name one: make PYTHON=/path/to/python3" >&2; exit 1

.venv/installed: .venv/made pyproject.toml constraints.txt
	@echo "Installing spinup and PyTorch into .venv (once; a few minutes, up to 3 GB to download on Linux) ..."
	@$(PIP) -e .
	@touch $@

.venv/installed-%: .venv/made pyproject.toml constraints.txt
	@echo "Installing spinup and its '$*' tools into .venv (once; a few minutes if PyTorch is not there yet) ..."
	@$(PIP) -e '.[$*]'
	@touch .venv/installed $@
