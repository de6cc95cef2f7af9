# eocluster: every verb of the kit. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

# The cluster that a verb talks to: a folder under inventory/. The default is the lab.
INVENTORY ?= inventory/lab
# More words for ansible-playbook, for example ARGS='--limit lab-worker001 --diff'
ARGS ?=

export PATH := $(CURDIR)/.venv/bin:$(PATH)
READY := .venv/.ready
SUDO := tools/with-sudo
# The lab's machines are podman's on this host, and its; those of other clusters have sudo of their own.
LAB_SUDO = $(if $(wildcard $(INVENTORY)/lab.yml),$(SUDO))
play = ansible-playbook -i $(INVENTORY) $(2) playbooks/$(1).yml $(ARGS)

# NAME=value on the command line (not from the environment) becomes -e '{"variable": "value"}'
given = $(if $(findstring command line,$(origin $(1))),-e '{"$(2)": "$($(1))"}')
JOB = $(call given,PREFIX,job_prefix) $(call given,MAX,job_max_products) $(call given,RESOLUTION,job_resolution) \
  $(call given,BANDS,job_bands) $(call given,DOWNSAMPLING,job_downsampling) $(call given,JOB_ENGINE,job_engine) \
  $(call given,METHOD,job_method) $(call given,FORMAT,job_format) $(call given,COMPRESS,job_compress) \
  $(call given,UPLOAD,job_upload_url) $(call given,SCRIPT,job_script) $(call given,GRAPH,job_graph) $(call given,NAME,job_name) $(call given,NTASKS,job_ntasks) \
  $(call given,NODES,job_nodes) $(call given,CPUS,job_cpus_per_task) $(call given,TIME,job_time) \
  $(call given,MEM,job_memory) $(call given,PARTITION,job_partition) $(call given,ACCOUNT,job_account) \
  $(call given,MAIL,job_mail_user) $(call given,OVERWRITE,job_overwrite) $(call given,BUCKET,job_bucket) \
  $(call given,FOLLOW,job_follow) -e job_live=$(shell [ -t 1 ] && echo true || echo false)

##@ Start here
.PHONY: demo
demo: ## From nothing to pictures: the lab, its archive, site.yml, a job on 8 products, results
	@$(SUDO) $(MAKE) lab-up lab-archive site run-job results show

.PHONY: test
test: ## Lint, unit tests, the whole path in a lab of its own, and the cloud's side on a real OpenStack API
	@$(SUDO) $(MAKE) lint unit both

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\nAll verbs take INVENTORY=inventory/<cluster> (now %s) and ARGS for ansible-playbook.\n' "$(INVENTORY)"

##@ The lab: a cluster in containers on this machine
.PHONY: lab-up
lab-up: $(READY) ## Bring up the lab's machines and its S3 store
	@$(SUDO) $(call play,lab_up)

.PHONY: lab-archive
lab-archive: $(READY) ## Make the sample products and upload them to the lab's store
	@$(call play,lab_archive)

.PHONY: lab-down
lab-down: $(READY) ## Remove all that lab-up made, and nothing else
	@$(SUDO) $(call play,lab_down)

##@ A cluster on OpenStack (INVENTORY=inventory/openstack)
.PHONY: plan
plan: $(READY) ## Say what site would make, change and attach in the cloud, and how much of it; touches nothing
	@$(call play,plan)

.PHONY: provision
provision: $(READY) ## Make the machines, networks and volume alone; site does that and the rest
	@$(call play,provision)

.PHONY: scale
scale: $(READY) ## Add or remove workers, WORKERS=<how many there shall be>; also in the lab
	@$(LAB_SUDO) $(call play,scale,$(call given,WORKERS,scale_workers))

.PHONY: attach-eodata
attach-eodata: $(READY) ## Attach the EO data network alone; site does that and the rest
	@$(LAB_SUDO) $(call play,attach_eodata)

.PHONY: detach-eodata
detach-eodata: $(READY) ## Undo attach-eodata, inside the machines and in the cloud
	@$(LAB_SUDO) $(call play,detach_eodata)

.PHONY: destroy
destroy: $(READY) ## Delete all that eocluster made in the cloud, after asking: CONFIRM=<cluster_name> HOME_VOLUME=delete
	@$(call play,destroy,$(call given,CONFIRM,provision_confirm) \
	  $(if $(filter delete,$(HOME_VOLUME)),-e '{"provision_delete_home": true}'))

##@ The cluster
.PHONY: site
site: $(READY) ## Make the machines of the inventory a working cluster (site.yml); again changes nothing
	@$(LAB_SUDO) ansible-playbook -i $(INVENTORY) site.yml $(ARGS)

.PHONY: check
check: $(READY) ## Say what site would change, and change nothing
	@$(LAB_SUDO) ansible-playbook -i $(INVENTORY) site.yml --check --diff $(ARGS)

.PHONY: validate
validate: $(READY) ## Look for faults in the settings, all at once
	@$(call play,validate) playbooks/validate_nodes.yml

.PHONY: verify
verify: $(READY) ## See the cluster work: Slurm, MPI on every worker, the archive from every worker, accounting
	@$(call play,verify)

##@ The job
.PHONY: run-job
run-job: $(READY) ## Process products: PREFIX= MAX= RESOLUTION= BANDS= ... (docs/variables.md); again does what is missing
	@$(call play,run_job,$(JOB))

.PHONY: job-status
job-status: $(READY) ## Follow the latest job, or JOB_ID=<number>, to its end
	@$(call play,job_status,$(JOB) $(if $(JOB_ID),-e job_id=$(JOB_ID)))

.PHONY: cancel-job
cancel-job: $(READY) ## Cancel the latest job, or JOB_ID=<number>; what is done stays
	@$(call play,cancel_job,$(if $(JOB_ID),-e job_id=$(JOB_ID)))

.PHONY: results
results: $(READY) ## Bring the images of the latest job, or JOB_ID=<number>, to results/<number>/
	@$(call play,results,$(if $(JOB_ID),-e job_id=$(JOB_ID)))

.PHONY: show
show: $(READY) ## Show the images of results/latest on one sheet
	@python3 tools/contact_sheet.py results/latest

##@ Development
.PHONY: lint
lint: $(READY) ## ansible-lint (production), yamllint, ruff, mypy, generated docs
	yamllint --strict .
	ansible-lint --offline --strict
	ruff check .
	mypy
	tools/role_docs --check

.PHONY: unit
unit: $(READY) ## Unit tests: no cluster, but a real S3 server and real JPEG 2000
	pytest --numprocesses=auto --dist=worksteal tests/unit

# PART=yes leaves out what takes long and tests the same code as what stays (pytest's marker "thorough").
part = $(if $(PART),-m "not thorough")

.PHONY: integration
integration: $(READY) ## The whole path in a lab of its own, through Molecule; `test` has most of it
	pytest tests/integration --ignore=tests/integration/test_8_snap.py $(part)

.PHONY: snap-test
snap-test: $(READY) ## SNAP 9, 11, 13 and all that can fail, in a lab of its own; `test` has a part of it
	EOCLUSTER_TEST_LAB=eosnap pytest tests/integration/test_8_snap.py $(part)

.PHONY: both
both: $(READY) # at the same time, because labs also wait and the rig mostly computes; a failure of one stops neither
	$(MAKE) --jobs=2 --keep-going integration openstack-and-snap PART=yes

.PHONY: openstack-and-snap
openstack-and-snap: $(READY)
	$(MAKE) --jobs=1 --keep-going openstack-test snap-test

.PHONY: vm-test
vm-test: $(READY) ## NFS /home in two virtual machines (qemu); slow without KVM, so not part of test
	pytest tests/vm

.PHONY: openstack-test
openstack-test: $(READY) ## The cloud's side on a real OpenStack API (tests/rigs/openstack); `test` has most of it
	pytest tests/openstack $(part)

bench = PYTHONPATH=benchmarks:lab:files python

.PHONY: bench
bench: $(READY) ## The job against the tutorial's workflow on full-size products (hours, on an idle machine): benchmarks/RESULTS.md
	$(bench) -m job $(ARGS)

.PHONY: bench-parts
bench-parts: $(READY) ## How evenly products are shared, and what writing them costs: benchmarks/schedule.md, write.md
	$(bench) -m schedule
	$(bench) -m write

.PHONY: docs
docs: $(READY) ## Write the roles' READMEs from their argument specifications
	tools/role_docs

.PHONY: lock
lock: $(READY) ## Renew the pinned versions: of the controller, and of the job's environment on the nodes
	uv pip compile --quiet --upgrade --universal --group pyproject.toml:dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --upgrade --universal --python-version 3.6 roles/job_env/files/requirements.in \
	  -o roles/job_env/files/requirements.txt

.PHONY: clean
clean: ## Remove caches and the virtual environment; the lab and results stay
	rm -rf .cache .venv .ansible .mypy_cache .ruff_cache .pytest_cache

$(READY): requirements.lock tools/bootstrap
	@$(SUDO) tools/bootstrap
