# Thin on purpose: the work is in `cargo xtask` (crates/xtask) and scripts/setup.
export PATH := $(PATH):$(HOME)/.cargo/bin
XTASK := cargo xtask

.PHONY: all web help screenshots demo demo-lab demo-reroute check test test-kernels fuzz bench bench-dataplane install deb test-deb

all: web ## the binary with its dashboard
	@scripts/setup build
	@cargo build --locked --profile ci --package spillway
	@ls -lh target/ci/spillway | awk '{ print "target/ci/spillway: " $$5 "; next: make demo" }'

web: ## the dashboard's files, into web/dist (pinned npm packages; brings a Node where the machine's is older)
	@scripts/web build

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

demo: web ## an attack on loopback, detected and told as it happens and in the dashboard; then as you like it, until Ctrl-C (DEMO_SEED=7, DEMO_ONCE=1)
	@scripts/setup build
	@cargo run --locked --profile ci --package spillway -- demo

screenshots: web ## README's screenshots, taken of the demonstration into docs/screenshots (Chromium; about a minute)
	@scripts/setup build web
	@cargo build --locked --profile ci --package spillway
	@scripts/screenshots target/ci/spillway

demo-lab: ## an attack by real tools in network namespaces, found and filtered, told as it happens (root; LAB=syn-flood)
	@scripts/setup build kernel core lab
	@cargo run --locked --profile ci --package spillway -- lab play $(or $(LAB),syn-flood) --by daemon --seconds 24

demo-reroute: ## floods led to absorbers, filtered and given back, until one victim is given up (root; about two minutes)
	@scripts/setup build kernel core lab
	@cargo run --locked --profile ci --package spillway -- lab play reroute --by daemon

check: web ## quick: format, types, lints
	@scripts/setup build
	@scripts/web run check
	@$(XTASK) check

test: web ## everything; installs what the tests need
	@scripts/setup build kernel
	@$(XTASK) test

test-kernels: ## the kernel programs on other kernels, in an emulator: minutes
	@scripts/setup build kernel vm
	@cargo build --locked --profile ci --package spillway
	@scripts/test-kernels target/ci/spillway "$$(cargo test --locked --profile ci --package dataplane --test main --no-run --message-format json | \
	  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)"

fuzz: ## 60 seconds on each decoder
	@scripts/setup build
	@$(XTASK) fuzz

bench: ## figures beside the peers', in one run; see BENCH.md
	@scripts/setup build kernel core peers python
	@$(XTASK) bench

bench-dataplane: ## what a packet costs in the kernel, beside the peers, in one run (root)
	@scripts/setup build kernel core peers
	@$(XTASK) bench dataplane

install: web ## the release binary into ~/.cargo/bin, or CARGO_INSTALL_ROOT
	@scripts/setup build kernel
	@cargo install --locked --path crates/spillway

deb: ## the Debian package, in target/debian
	@scripts/setup build kernel
	@$(XTASK) deb

test-deb: ## the package on a Debian that has nothing else: install, start, upgrade, remove, purge (root, debootstrap; about a minute)
	@scripts/setup build kernel
	@cargo build --locked --profile ci --workspace
	@scripts/test-deb
