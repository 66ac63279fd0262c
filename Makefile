# `make` lists the targets. Each but status sets up .venv itself, from the exact pins of envs/requirements.txt.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/.installed
# The library and its command, from this folder. All that they need is installed by then, so nothing is downloaded.
THIS := --no-index --no-deps --no-build-isolation --editable .
# glibc hands a training step's memory back and asks for it again at the next: 6 % of a step on a CPU. Huge pages: 1 %.
KEEP_MEMORY := MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000 \
	GLIBC_TUNABLES=glibc.malloc.hugetlb=1

# $(CONFIGURATION): the configuration files.
define RUN_DEMO
$(KEEP_MEMORY) snakemake all draw_run --configfile $(CONFIGURATION) --profile workflow/profiles/demo \
	--report results/demo/report.html --report-after-run; \
cat results/demo/table1.md results/demo/table2.md results/demo/table3.md; \
printf '\nOpen: results/demo/report.html, one page with every table and figure; the files are beside it.\n'
endef

.PHONY: help env words demo demo-full demo-seeds tuning ablation smoke-paper test test-slurm status lint bench bench-gpu coverage

help: ## lists these targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

env: $(INSTALLED) ## the environment .venv (2 GB with a CPU build of PyTorch; some minutes, once)

$(INSTALLED): envs/requirements.txt pyproject.toml
	@echo "Setting up .venv (2 GB on disk with a CPU build of PyTorch, several more with CUDA; some minutes, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, got " + sys.version.split()[0] + "; name one with make PYTHON=python3.11")'
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check $(THIS)
	@touch $@

words:
	@sed -n 's/^## \?//p' workflow/demo.yaml

demo: CONFIGURATION := workflow/demo.yaml
demo: words env ## segguided-plus, STD and SPADE on small data: downloads 73 MB, 9 to 12 minutes on two CPU cores
	@set -e; $(RUN_DEMO)

demo-full: CONFIGURATION := workflow/demo.yaml workflow/demo-full.yaml
demo-full: words env ## the same with every system of the paper: what make demo made is not made again
	@set -e; $(RUN_DEMO)

demo-seeds: CONFIGURATION := workflow/demo.yaml workflow/demo-seeds.yaml
demo-seeds: words env ## the demo with three seeds: then the tables say which model is better than which
	@set -e; $(RUN_DEMO)

tuning: env ## the demo on the patients on which settings are chosen: results/tuning
	@$(KEEP_MEMORY) snakemake all --configfile workflow/demo.yaml workflow/tuning.yaml --profile workflow/profiles/demo
	@cat results/tuning/table1.md results/tuning/table2.md results/tuning/table3.md

ablation: env ## what each setting adds on the way from the paper's recipe to segguided-plus: results/ablation
	@$(KEEP_MEMORY) snakemake ablation sweeps --configfile workflow/demo.yaml workflow/tuning.yaml workflow/ablation.yaml \
		--profile workflow/profiles/demo
	@cat results/ablation/ablation.md

# Two cores: then one network is at work at a time, for it takes both.
smoke-paper: env ## config.yaml's networks at 256×256, two steps each, on made-up files: before a cluster runs them
	@PYTHONPATH=scripts:tests python tests/benchmarks/smoke_files.py results/smoke-paper
	@python tests/benchmarks/sampled_snakemake.py all applications --configfile workflow/smoke-paper.yaml --cores 2
	@PYTHONPATH=scripts:tests python tests/benchmarks/smoke_table.py results/smoke-paper/benchmarks

# Sets up nothing: a run may be going.
status: ## shows what the pipeline in this folder does, until Ctrl-C; the same in status.html
	@python scripts/status.py --watch --html status.html

lint: env ## ruff, snakefmt, mypy, snakemake --lint
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	mypy
	snakemake --lint

test: lint ## lint, then unit, workflow and end-to-end tests: some twenty minutes on two cores
	@# A test file that cannot be imported is said now, not after the others.
	@found=$$(pytest --collect-only -qq 2>&1) || { echo "$$found" | tail -n 40; exit 1; }
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile

test-slurm: env ## on Debian 12, as root: installs and starts SLURM on one node, runs the miniature on it, stops it
	tests/slurm/cluster.sh start
	trap 'tests/slurm/cluster.sh stop' EXIT; export OMP_NUM_THREADS=1; \
	pytest tests/slurm --ignore tests/slurm/test_daemons.py -n 3 --durations=15 && pytest tests/slurm/test_daemons.py

coverage: env ## how often the tables' intervals contain the true value: the tables of workflow/docs/statistics.md
	PYTHONPATH=scripts:tests python tests/benchmarks/coverage.py

benchmark: env ## how fast it trains and generates here, beside a plain implementation: results/benchmark.csv
	PYTHONPATH=scripts:tests python tests/benchmarks/benchmark.py

bench: env ## benchmarks of slicing, planning and GPU memory
	PYTHONPATH=scripts:tests python tests/benchmarks/slicing.py
	PYTHONPATH=scripts:tests python tests/benchmarks/dry_run.py 10000
	PYTHONPATH=scripts:tests python tests/benchmarks/gpu_memory.py

bench-gpu: env ## on a machine with a GPU: how fast the paper's networks train and generate there
	PYTHONPATH=scripts:tests python tests/benchmarks/gpu_speed.py
