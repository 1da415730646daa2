# Front door. The build itself is CMakeLists.txt with CMakePresets.json; `make help` lists what can be made.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
export FUZZ_SECONDS # what stands on the command line of make is in the environment of its recipes anyway: MODEL, DOCS

.DEFAULT_GOAL := release
.PHONY: release debug demo test test-full bench install clean help

release: ## build/release/quaere (the default)
	@./setup build
	@tools/build release

debug: ## build/debug/quaere, with symbols and assertions
	@./setup build
	@tools/build debug

demo: release ## ask questions of real documentation; DOCS=path for your own, MODEL=none without models
	@tools/demo build/release/quaere $${DOCS:+"$$DOCS"}

test: ## everything quick: cases, then all tests with ASan and UBSan, then those with threads with TSan
	@./setup build test
	@tools/test

test-full: ## also clang with -Werror, valgrind, fuzzing (FUZZ_SECONDS=60 a target), long kill loops
	@./setup build test full
	@tools/test full

bench: release ## speed on this machine
	@bench/run build/release/quaere

install: release ## into PREFIX (default /usr/local), below DESTDIR if set
	@cmake --install build/release --strip --prefix "$(PREFIX)"

clean: ## remove build/ (downloads of the demo stay in the user's cache)
	@rm -rf build

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
