# `make` lists what there is. The work is done by cargo and by `cargo xtask`.

ifeq ($(shell command -v cargo),)
$(error cargo is missing: install rustup, rust-toolchain.toml chooses the version)
endif

PHASE := tools/phase
CDK := npm --prefix infra/cdk run

DENY_VERSION := 0.20.2
DENY_ROOT := .tools/cargo-deny-$(DENY_VERSION)
DENY := $(DENY_ROOT)/bin/cargo-deny

# The end-to-end tests start a stack of their own, so that plain `cargo test` leaves them out. They are tested with
# the whole workspace: alone they would be built against other features of the same dependencies, all anew.
E2E := $(if $(wildcard tests/e2e/Cargo.toml),--features e2e/deployed)

# `make sale -- --mode queued`: what follows is for the command, and no goal of its own.
ifeq ($(firstword $(MAKECMDGOALS)),sale)
SALE_ARGS := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
$(if $(SALE_ARGS),$(eval $(sort $(SALE_ARGS)):;@:))
endif

.DEFAULT_GOAL := help
.PHONY: help dev down sale package test ci xtask

help: ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
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

ci: $(DENY) ## all that must pass: format, lint, licences, docs, tests, synth
	@$(PHASE) 'format' cargo fmt --all --check
	@$(PHASE) 'licences, bans, sources' $(DENY) check --hide-inclusion-graph licenses bans sources
	@$(PHASE) 'lint' cargo clippy --workspace --all-targets $(E2E) -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(PHASE) 'docs' cargo doc --workspace --no-deps
	@$(MAKE) --no-print-directory test
	@$(PHASE) 'types of infra' $(CDK) build
	@$(PHASE) 'lint infra' $(CDK) lint
	@$(PHASE) 'synth, cdk-nag, cfn-lint' cargo xtask synth

# `cargo xtask` builds it without a word: here one sees what takes a while the first time.
xtask:
	@cargo build --package xtask

# Built once and seldom run: with little optimisation it is there in half the time.
$(DENY):
	@$(PHASE) 'install cargo-deny' env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
		cargo install --quiet --locked --root $(DENY_ROOT) --version $(DENY_VERSION) cargo-deny
