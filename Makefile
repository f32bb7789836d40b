# The front door: `make` alone says what there is. Each command first installs what it needs.
SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

ADDRESS ?= 127.0.0.1:8000
EXAMPLES := build/examples
PREFIX ?= /usr/local

.PHONY: help
help:
	@echo "make serve      build all, serve the example functions on $(ADDRESS)"
	@echo "make test       build all, run every test; the last line is the count"
	@echo "make build      build/release/funcd"
	@echo "make install    the binary into $(PREFIX)/bin, and a unit for systemd"
	@echo "make examples   the example functions, from source, into $(EXAMPLES)"
	@echo "make languages  those in Rust, JavaScript and Python, into build/languages"
	@echo "make check      format, layers, docs, headers, lints"
	@echo "make bench      funcd beside its peers and its floors, one table"
	@echo "make count      instructions per request, beside those that are recorded"
	@echo "make fuzz       each fuzz target for FUZZ_SECONDS (60)"
	@echo "make soak       good and bad clients and functions for SOAK_SECONDS (600), one summary"
	@echo "make asan       unit, end-to-end and fault tests under address and undefined-behaviour sanitizers"
	@echo "make tsan       unit, end-to-end and fault tests under the thread sanitizer"
	@echo "make hooks      run the quick checks at each commit, from now on"
	@echo "make clean      remove build/"

.PHONY: build
build:
	@tools/setup build
	@tools/build release funcd

.PHONY: install
install: build
	@install -D -m 755 build/release/funcd $(DESTDIR)$(PREFIX)/bin/funcd
	@install -D -m 644 packaging/funcd.service $(DESTDIR)/etc/systemd/system/funcd.service

.PHONY: examples
examples:
	@tools/setup examples
	@tools/with examples/build $(EXAMPLES)

.PHONY: languages
languages:
	@tools/setup examples languages
	@tools/with examples/build-languages build/languages

.PHONY: serve
serve: build examples
	@exec build/release/funcd serve $(EXAMPLES) --listen $(ADDRESS) \
	  $(if $(wildcard examples/funcd.toml),--config examples/funcd.toml)

.PHONY: test
test:
	@tools/setup build examples languages test
	@tools/test all

.PHONY: asan tsan
asan tsan:
	@tools/setup build examples languages test
	@tools/test $@

.PHONY: check
check:
	@tools/setup build check
	@tools/check

.PHONY: bench
bench:
	@tools/setup build examples languages bench
	@tools/with bench/run

.PHONY: count
count:
	@tools/setup build examples test
	@tools/build release request_floor
	@tools/with examples/build $(EXAMPLES)
	@tools/with examples/build-components build/components
	@bench/count

.PHONY: fuzz
fuzz:
	@tools/setup build fuzz test
	@tools/fuzz

.PHONY: soak
soak: build
	@tools/setup test
	@FUNCD_BIN=build/release/funcd $${XDG_CACHE_HOME:-$$HOME/.cache}/funcd/venv/bin/python tests/soak/run

.PHONY: hooks
hooks:
	git config core.hooksPath tools/hooks

.PHONY: clean
clean:
	rm -rf build
