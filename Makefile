# Everything that a developer or CI does. The first use of a target sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PORT ?= 8080
NETWORK ?= 172.31.80
REPEAT ?= 3
MINUTES ?= 60
JOBS ?= 2
VENV := .venv
SITE_VENV := .cache/site-venv
BIN := $(CURDIR)/$(VENV)/bin
LAB := $(PYTHON) molecule/shared/lab.py
STAGES := $(PYTHON) molecule/shared/stages.py
# docs/testing.md says what each scenario alone shows, and why it is in its list. The longest first.
MORE := secure custom monitoring debian13 single airflow2
# These have tests in a browser.
WITH_BROWSER := default custom monitoring
ALL := tutorial backup brokers metastores failover operations upgrade

export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export FLIGHTDECK_PORT := $(PORT)
export FLIGHTDECK_NETWORK := $(NETWORK)
export PYTHONDONTWRITEBYTECODE := 1
export MOLECULE_COMMAND_BORDERS := false

.PHONY: help up down test test-more test-all checks lint unit sanity cores fuzz programs ssh molecule lock build release audit
.PHONY: docs tools image browser bench bench-tasks faults faults-lease soak inject-faults

help: ## Show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

up: ## Start the reference cluster in containers, deploy it and run a DAG (PORT=8080 NETWORK=172.31.80)
	@$(STAGES) begin
	@$(LAB) check $(PORT)
	@$(LAB) network lab $(NETWORK).0/24
	@$(MAKE) --jobs=2 timed-up-tools timed-image
	@$(STAGES) run hosts ansible-playbook -i inventories/lab molecule/shared/create.yml
	@$(STAGES) run deployment ansible-playbook -i inventories/lab site.yml
	@$(STAGES) run canary ansible-playbook -i inventories/lab playbooks/verify.yml
	@printf '\nThe cluster is up.\n\n  state     %s\n' 'source $(VENV)/bin/activate; ansible-playbook -i inventories/lab playbooks/status.yml'
	@printf '  a host    docker exec -it fd-lab-worker1 bash\n  remove    make down\n\n'
	@$(STAGES) table

down: ## Remove the containers and the network that `make up` made
	@$(LAB) remove lab

# The guards among the faults of `ha` allow for the work beside them.
test: ## Lint, unit tests and the scenarios that guard the main promises
	@$(STAGES) begin
	@$(MAKE) --jobs=2 timed-image checks timed-browser
	@FLIGHTDECK_PREFIX=true $(MAKE) --jobs=2 scenario-default scenario-ha
	@$(STAGES) table

# A scenario waits for a third of its time, so JOBS of them run at once.
test-more: export FLIGHTDECK_PREFIX := true
test-more: ## The checkers of the community and the other scenarios of CI (JOBS=2)
	@$(STAGES) begin
	@$(MAKE) --jobs=$(JOBS) $(addprefix scenario-,$(MORE)) timed-sanity
	@$(STAGES) table

test-all: export FLIGHTDECK_THOROUGH := true
test-all: test test-more ## All tests, with every fault REPEAT times (hours; REPEAT=3)
	@$(MAKE) timed-cores $(addprefix scenario-,$(ALL))
	@$(MAKE) faults

checks: timed-tools
	@$(MAKE) --jobs=2 timed-lint timed-unit

lint: $(VENV)/ready ## ansible-lint (production), yamllint, ruff, mypy, changelog fragments
	yamllint --strict .
	ruff check .
	ruff format --check .
	mypy
	ansible-lint --offline
	antsibull-changelog lint

unit: $(VENV)/ready programs ## Unit tests of plugins, templates and the interface
	pytest --numprocesses=auto --dist=loadscope --no-loadscope-reorder tests/unit

sanity: $(VENV)/ready ## ansible-test sanity, antsibull-docs and galaxy-importer
	python .config/sanity.py

cores: $(VENV)/ready programs ## Validation, syntax and unit tests with every supported ansible-core
	python .config/cores.py $(CORES)

# With SEED, the first inventories are those of a run that printed it.
fuzz: $(VENV)/ready programs ## Check random inventories with the programs of the hosts for a time (MINUTES=60)
	nice -n 19 python tests/fuzz/run.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

programs: $(VENV)/ready ssh
	@command -v systemd-analyze >/dev/null || $(LAB) apt systemd
	@command -v nft >/dev/null || $(LAB) apt nftables
	@command -v zstd >/dev/null || $(LAB) apt zstd
	@command -v promtool >/dev/null || $(LAB) program prometheus usr/bin/promtool $(BIN)

ssh:
	@command -v ssh >/dev/null || $(LAB) apt openssh-client

SCENARIO ?= default
molecule: scenario-$(SCENARIO) ## Run one scenario (SCENARIO=default)

# Programs as its first step: as prerequisites they would let scenarios without them begin before.
scenario-%: $(VENV)/ready
	@$(MAKE) ssh $(if $(filter $*,$(WITH_BROWSER)),browser)
	@$(LAB) engine
	@$(STAGES) run $* molecule test --scenario-name $*

timed-%:
	@$(STAGES) run $* $(MAKE) $*

tools: $(VENV)/ready

up-tools: $(VENV)/up

image:
	@$(LAB) image bookworm

browser:
	@command -v chromium >/dev/null || $(LAB) apt chromium

faults: $(VENV)/ready ## Inject every fault into the highly available cluster, write docs/reliability.md (hours; REPEAT=3)
	@$(LAB) engine
	molecule converge --scenario-name ha
	@$(MAKE) inject-faults INVENTORY=molecule/ha/inventory HOW="--repeat $(REPEAT)" OUTPUT=artefacts/faults

faults-lease: $(VENV)/ready ## Inject every fault of the leader lease, write docs/scheduler-failover.md (hours; REPEAT=3)
	@$(LAB) engine
	molecule converge --scenario-name failover
	@$(MAKE) inject-faults INVENTORY=molecule/failover/inventory HOW="--in-a-row $(REPEAT)" OUTPUT=artefacts/faults-lease

soak: $(VENV)/ready ## The same faults in random order for a time (MINUTES=60)
	@$(LAB) engine
	molecule converge --scenario-name ha
	@$(MAKE) inject-faults INVENTORY=molecule/ha/inventory HOW="--minutes $(MINUTES)" OUTPUT=artefacts/faults

INVENTORY ?= molecule/ha/inventory
HOW ?= --repeat $(REPEAT)
OUTPUT ?= artefacts/faults
# The report is written when a promise was broken, too.
inject-faults: $(VENV)/ready ## Inject faults into a cluster that runs (INVENTORY=molecule/ha/inventory HOW="--repeat 3" OUTPUT=artefacts/faults)
	@test -e "$(INVENTORY)" || { echo "INVENTORY: found '$(INVENTORY)'; expected the inventory of a cluster that runs" >&2; exit 2; }
	@test -n "$(OUTPUT)" || { echo "OUTPUT: found nothing; expected a directory for the results" >&2; exit 2; }
	@status=0; python tests/faults/run.py --inventory "$(INVENTORY)" $(HOW) --output "$(OUTPUT)" || status=$$?; \
		python tests/faults/report.py "$(OUTPUT)"; exit $$status

bench: $(VENV)/ready ## Measure and write docs/performance.md (about an hour)
	@$(LAB) engine
	python benchmarks/run.py

bench-tasks: $(VENV)/ready ## Measure tasks beside the hand-written cluster, write them into docs/performance.md (an hour)
	@$(LAB) engine
	python benchmarks/throughput.py deploy
	python benchmarks/throughput.py run
	python benchmarks/throughput.py remove

build: $(VENV)/ready ## Build the collection, its SBOMs and checksums into artefacts/, from what is committed
	python .config/build.py artefacts

release: $(VENV)/ready ## Commit, tag and build a release (VERSION=1.0.0; KEY=name signs it; REHEARSAL=true)
	python .config/release.py "$(VERSION)" $(if $(KEY),--key "$(KEY)") $(if $(REHEARSAL),--rehearsal)

audit: $(VENV)/ready ## Look up known vulnerabilities of all locked packages
	python .config/audit.py

docs: $(VENV)/ready ## Write docs/variables.md, docs/model.md, the pages of codes and filters, dashboards, alerts
	python .config/render_variables.py
	python .config/render_model.py
	python .config/render_codes.py
	python .config/render_filters.py
	python .config/render_dashboards.py
	python .config/render_alerts.py

.PHONY: docs-site
docs-site: $(SITE_VENV)/ready ## Build the documentation as a site into artefacts/site; a link that leads nowhere ends it
	@command -v npm >/dev/null || $(LAB) apt npm
	$(SITE_VENV)/bin/python .config/build_site.py artefacts/site

lock: $(VENV)/ready ## Update the locks of the tools and of every supported Airflow, and write the reference of its options
	uv pip compile requirements.in --output-file requirements.lock --upgrade $(LOCK)
	uv pip compile requirements-up.in --output-file requirements-up.lock --constraint requirements.lock $(LOCK)
	uv pip compile requirements-docs.in --output-file requirements-docs.lock --upgrade $(LOCK)
	python .config/lock_airflow.py
	python .config/reference_options.py

LOCK := --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 --python-platform linux --quiet

# What `make up` needs comes first and alone.
$(VENV)/up: requirements-up.lock
	@$(LAB) tools $(VENV) $<
	@touch $@

$(VENV)/ready: requirements.lock $(VENV)/up
	@$(LAB) tools $(VENV) $<
	@touch $@

# Apart from the other tools, which need another docutils. Neither `make up` nor `make test` pays for it.
$(SITE_VENV)/ready: requirements-docs.lock
	@$(LAB) tools $(SITE_VENV) $<
	@touch $@
