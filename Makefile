# make demo    the main job on real input, with processes killed midway
# make test    everything that a change must pass, bounded to minutes; installs what is missing
# make soak    the same searches for longer (ROUNDS, SCRIBBLES, CASES, KILLS, FUZZ_SOAK)
# make bench   speed: beside rtrb and a bare cache line, subject by subject, through C, and beside all peers (target/bench/report.md)
#
# `make test-<step>` runs one step alone; the steps are in STEPS.

SHELL := /bin/sh
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
OUT := $(or $(CARGO_TARGET_DIR),target)
STEPS := format lint docs msrv package loom model fuzz
ROUNDS ?= 10000
SCRIBBLES ?= 5000000
CASES ?= 200000
FUZZ_SOAK ?= 3600
KILLS ?= 1000
FUZZ_SECONDS ?= 10
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# What `make install` needs to know; the shared library's name moves with the ABI.
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
VERSION := $(shell sed -n '0,/^version = /s/^version = "\(.*\)"/\1/p' Cargo.toml)
ABI := 0
FILL := sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@ABI@|$(ABI)|'

.PHONY: demo test soak bench setup setup-bench setup-test install uninstall capi capi-lto abi $(STEPS:%=test-%)

# Not the release profile, whose linking takes longer than all the rest.
demo: setup
	cargo build --profile checked --features cli
	$(OUT)/checked/slipring demo

# One after another, also under make -j: they share two cores and the build directory.
test: setup-test
	@for step in $(STEPS); do \
	    echo "== $$step"; \
	    $(MAKE) --no-print-directory test-$$step || { echo "== $$step FAILED; again with: make test-$$step"; exit 1; }; \
	done; echo "== all passed"

bench: setup-bench
	cargo bench --bench first_look
	cargo bench --bench c_api
	cargo bench --bench engine
	cargo bench --features cli --bench gateway
	sh benches/peers/run.sh

soak: setup-test
	SLIPRING_SOAK=1 SLIPRING_ROUNDS=$(ROUNDS) HOSTILE_SCRIBBLES=$(SCRIBBLES) MODEL_CASES=$(CASES) SLIPRING_KILLS=$(KILLS) \
	    cargo test --release --all-features
	SLIPRING_LOOM_PREEMPTIONS=2 SLIPRING_MUTANTS=all $(MAKE) --no-print-directory test-loom
	SLIPRING_SOAK=1 $(MAKE) --no-print-directory test-model
	$(MAKE) --no-print-directory test-fuzz FUZZ_SECONDS=$(FUZZ_SOAK)

test-format:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/model/Cargo.toml
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo fmt --check --manifest-path benches/peers/Cargo.toml
	cargo fmt --check --manifest-path tests/gateway/clients/rust/Cargo.toml

test-lint:
	cargo clippy --all-targets --all-features -- -D warnings

test-docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features

# A toolchain that rustup fetches; the sources only, since the tests' dependencies move on sooner.
test-msrv:
	@if rustup toolchain list 2>/dev/null | grep -q '^$(MSRV)' || rustup toolchain install $(MSRV) --profile minimal; then \
	    cargo +$(MSRV) check --all-features --target-dir $(OUT)/msrv; \
	else echo "skipped: no rustup here that can bring Rust $(MSRV); clippy's incompatible_msrv has looked"; fi

# The same histories and scribbles each time, so that a change fails for its own reasons; `make soak` takes new ones.
test-package:
	MODEL_SEED=1 HOSTILE_SEED=1 cargo test --profile checked --all-features

test-loom:
	RUSTFLAGS="--cfg loom" cargo test --release --test loom --target-dir $(OUT)/loom
	sh tests/mutants.sh

test-model:
	cargo test --release --manifest-path tests/model/Cargo.toml --target-dir $(OUT)/model

test-fuzz:
	sh fuzz/run.sh $(FUZZ_SECONDS)

# The C libraries. Not crate-types of the manifest: every Rust program that depends on us would build them, too.
capi:
	cargo rustc --release --lib --features capi --crate-type cdylib,staticlib --target-dir $(OUT)/capi -- \
	    -C link-arg=-Wl,-soname,libslipring.so.$(ABI)

# The archive as bitcode, so that clang and lld inline it into C: see docs/c.md.
capi-lto:
	CARGO_PROFILE_RELEASE_LTO=off RUSTFLAGS="-C linker-plugin-lto" \
	    cargo rustc --release --lib --features capi --crate-type staticlib --target-dir $(OUT)/capi-lto

# Writes down the binary interface that tests/ffi compares with: after an addition, or a break (then ABI moves, too).
abi: capi
	sh packaging/abi/describe.sh include/slipring.h $(OUT)/capi/release/libslipring.so packaging/abi

# make install PREFIX=/usr/local [DESTDIR=...] [LTO=1]
install: capi $(if $(LTO),capi-lto)
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/slipring
	install -m 644 include/slipring.h include/slipring.hpp $(DESTDIR)$(PREFIX)/include
	install -m 755 $(OUT)/capi/release/libslipring.so $(DESTDIR)$(LIBDIR)/libslipring.so.$(VERSION)
	ln -sf libslipring.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libslipring.so.$(ABI)
	ln -sf libslipring.so.$(ABI) $(DESTDIR)$(LIBDIR)/libslipring.so
	install -m 644 $(OUT)/capi/release/libslipring.a $(DESTDIR)$(LIBDIR)
	$(if $(LTO),install -m 644 $(OUT)/capi-lto/release/libslipring.a $(DESTDIR)$(LIBDIR)/libslipring-lto.a)
	$(FILL) packaging/slipring.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/slipring.pc
	$(FILL) packaging/slipring-config.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/slipring/slipring-config.cmake
	$(FILL) packaging/slipring-config-version.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/slipring/slipring-config-version.cmake

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/include/slipring.h $(DESTDIR)$(PREFIX)/include/slipring.hpp $(DESTDIR)$(LIBDIR)/libslipring.so* \
	    $(DESTDIR)$(LIBDIR)/libslipring.a $(DESTDIR)$(LIBDIR)/libslipring-lto.a $(DESTDIR)$(LIBDIR)/pkgconfig/slipring.pc
	rm -rf $(DESTDIR)$(LIBDIR)/cmake/slipring

# Asks the system only for what is not there.
setup:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust $(MSRV) or later (https://rustup.rs)"; exit 1; }
	@$(call have,c++:g++ c++:libc6-dev)

# What the peers are built from.
PEERS := clang cmake libboost-dev libbsd-dev uuid-dev libclang-dev python3-venv
setup-bench: setup
	@dpkg -s $(PEERS) >/dev/null 2>&1 || { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends $(PEERS); }

setup-test: setup
	@$(call have,pkg-config:pkg-config cmake:cmake clang:clang valgrind:valgrind abidw:abigail-tools python3:python3 node:nodejs npm:npm go:golang-go nats-server:nats-server curl:curl openssl:openssl chromium:chromium tmux:tmux pgrep:procps script:bsdutils)
	@python3 -m pip --version >/dev/null 2>&1 || { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends python3-pip; }
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# Installs the packages of the commands that are missing: pairs of command:package. At run level 1 no package starts a server of its own.
have = missing=; for pair in $(1); do command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair\#*:}"; done; \
	[ -z "$$missing" ] || { $(SUDO) apt-get update && $(SUDO) env RUNLEVEL=1 apt-get install -y --no-install-recommends $$missing; }
