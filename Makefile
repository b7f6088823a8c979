# `make` lists what there is. The work is done by cargo and by `cargo xtask`.

ifeq ($(shell command -v cargo),)
$(error cargo is missing: install rustup, rust-toolchain.toml chooses the version)
endif

# A build for one run needs neither what speeds the next one up nor backtraces with lines: a third of the disk.
ifdef CI
export CARGO_INCREMENTAL := 0
export CARGO_PROFILE_DEV_DEBUG := none
endif

PHASE := tools/phase
CDK := npm --prefix infra/cdk run

DENY_VERSION := 0.20.2
DENY_ROOT := .tools/cargo-deny-$(DENY_VERSION)
DENY := $(DENY_ROOT)/bin/cargo-deny

# Without sanitizers, which need nightly Rust: what is looked for are panics, and safe Rust has no others.
FUZZ_VERSION := 0.13.2
FUZZ_ROOT := .tools/cargo-fuzz-$(FUZZ_VERSION)
FUZZ := $(FUZZ_ROOT)/bin/cargo-fuzz
FUZZ_ARGS := --fuzz-dir fuzz --target-dir fuzz/target --sanitizer none
FUZZ_SECONDS ?= 10

# The end-to-end tests start a stack of their own, so that plain `cargo test` leaves them out. They are tested with
# the whole workspace: alone they would be built against other features of the same dependencies, all anew.
E2E := $(if $(wildcard tests/e2e/Cargo.toml),--features e2e/deployed)

# `make sale -- --mode queued`: what follows is for the command, and no goal of its own.
ifeq ($(firstword $(MAKECMDGOALS)),sale)
SALE_ARGS := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
$(if $(SALE_ARGS),$(eval $(sort $(SALE_ARGS)):;@:))
endif

# A genuine OpenSearch node, which Maven fetches once. OpenSearch 2 needs Java 11 or newer, with its compiler.
NODE := tests/search-conformance/opensearch-node
NODE_ROOT := .tools/opensearch-node
NODE_LACKS = $(strip $(foreach tool,java javac mvn,$(if $(shell command -v $(tool)),,$(tool))))

.DEFAULT_GOAL := help
.PHONY: help dev down sale package test test-opensearch fuzz ci xtask

help: ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'cargo xtask help lists the commands behind them.'

dev: xtask ## build, start the local AWS, deploy, seed; Ctrl-C stops it (ARGS=--detach: come back)
	@cargo xtask dev $(ARGS)

down: ## stop what `make dev ARGS=--detach` started
	@cargo xtask down

sale: xtask ## sell out a coupon to thousands of guests and check the books (-- --mode queued --guests 500)
	@cargo xtask sale $(ARGS) $(SALE_ARGS)

package: ## build the functions for AWS (arm64, release) into target/lambda
	@cargo xtask package

test: ## every test, end to end included
	@$(PHASE) 'set up' cargo xtask setup
	@$(PHASE) 'test' cargo test --workspace $(E2E)
	@$(PHASE) 'test infra' $(CDK) test

# Where there is no Java it is said and passed over: nothing else here needs it.
test-opensearch: ## test the search index on a genuine OpenSearch node, where Java and Maven are
ifeq ($(NODE_LACKS),)
	@$(MAKE) --no-print-directory $(NODE_ROOT)/stamp
	@$(PHASE) 'test on OpenSearch' cargo test --workspace $(E2E) --features search-conformance/opensearch-node --test opensearch -- --nocapture
else
	@printf '\nSKIPPED: the tests on a genuine OpenSearch node, for want of: $(NODE_LACKS) (Debian: apt install maven default-jdk-headless)\n\n'
endif

$(NODE_ROOT)/stamp: $(NODE)/pom.xml $(NODE)/src/main/java/Main.java
	@$(PHASE) 'fetch OpenSearch' mvn --quiet --batch-mode --file $(NODE)/pom.xml compile
	@touch $@

# What is found is kept in fuzz/target, the seeds in fuzz/corpus stay as they are; what crashes goes to fuzz/artifacts.
fuzz: $(FUZZ) ## fuzz the templates and every parser, for a while each (FUZZ_SECONDS=10)
	@$(PHASE) 'build the fuzz targets' $(FUZZ) build $(FUZZ_ARGS)
	@set -e; for target in $$($(FUZZ) list --fuzz-dir fuzz); do mkdir -p fuzz/target/corpus/$$target; \
		$(PHASE) "fuzz $$target" $(FUZZ) run $(FUZZ_ARGS) $$target fuzz/target/corpus/$$target fuzz/corpus/$$target -- \
		-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5 -verbosity=0 -print_final_stats=1; done

ci: $(DENY) ## all that must pass: format, lint, licences, docs, tests, synth
	@$(PHASE) 'format' cargo fmt --all --check
	@$(PHASE) 'licences, bans, sources' $(DENY) check --hide-inclusion-graph licenses bans sources
	@$(PHASE) 'lint' cargo clippy --workspace --all-targets $(E2E) -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(PHASE) 'docs' cargo doc --workspace --no-deps
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-opensearch
	@$(MAKE) --no-print-directory fuzz
	@$(PHASE) 'types of infra' $(CDK) build
	@$(PHASE) 'lint infra' $(CDK) lint
	@$(PHASE) 'lint web' npm --prefix web run lint
	@$(PHASE) 'synth, cdk-nag, cfn-lint' cargo xtask synth

# `cargo xtask` builds it without a word: here one sees what takes a while the first time.
xtask:
	@cargo build --package xtask

# Built once and seldom run: with little optimisation they are there in half the time.
INSTALL := env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 cargo install --quiet --locked

$(DENY):
	@$(PHASE) 'install cargo-deny' $(INSTALL) --root $(DENY_ROOT) --version $(DENY_VERSION) cargo-deny

$(FUZZ):
	@$(PHASE) 'install cargo-fuzz' $(INSTALL) --root $(FUZZ_ROOT) --version $(FUZZ_VERSION) cargo-fuzz
