# Footfall. Two commands matter: `make run` (see it) and `make test` (trust it).
# Each target installs what it needs; a missing thing is named with the command that gets it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

NPM_CI := npm ci --no-audit --no-fund --loglevel=error
# Lets CARGO_TERM_PROGRESS and colours through; never asks a question.
CARGO := cargo
# Tests, and everything that is built with them, have the points of src/fault.rs; `make build` has not.
FAULTS := --features faults

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

comma := ,

.PHONY: help run build test check clean engines test-engines sdk web lint doc rust-test sdk-test web-test browser-test openapi bench-ingest bench-drain bench-query crash worlds fuzz-api

help:            ## what there is
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: build       ## build everything, start it, fill a demo shop, print the address and a login
	$(call say,starting Footfall: Ctrl-C ends it)
	@exec ./target/release/footfall demo $(ARGS)

build: engines sdk web   ## the release binary with dashboard and SDK inside: target/release/footfall
	$(call say,building the binary (a first build takes some minutes))
	@$(CARGO) build --release --locked --bin footfall
	@# The names of the fault points are those of tests.
	@! grep -aqE 'deliver[.]after_plan|append[.]before_xadd|FOOTFALL_FAULT' target/release/footfall

test: test-engines sdk web lint doc rust-test sdk-test web-test browser-test fuzz-api   ## everything, on the real engines, from a fresh clone
	$(call say,all green)

check:           ## the quick inner loop: format, clippy, unit tests
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked $(FAULTS) --all-targets -- -D warnings
	@$(CARGO) test --locked $(FAULTS) --lib --test tidy

lint:            ## format and clippy, warnings denied
	$(call say,format and clippy)
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked $(FAULTS) --all-targets -- -D warnings

doc:             ## rustdoc, warnings denied
	$(call say,rustdoc)
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet

rust-test:       ## unit and integration tests on the real engines
	$(call say,Rust tests)
	@$(CARGO) test --locked $(FAULTS)

KILLS := 300
SEED := 1

crash: test-engines web   ## a long campaign of kills against separate roles: KILLS=500, SEED=7
	$(call say,$(KILLS) kills$(comma) seed $(SEED))
	@FOOTFALL_CRASH_KILLS=$(KILLS) FOOTFALL_CRASH_SEED=$(SEED) $(CARGO) test --locked $(FAULTS) --quiet --test crash campaign:: -- --nocapture

N := 20000

worlds: test-engines     ## the long run of the property tests of every kind: N=20000 small worlds for each
	$(call say,$(N) worlds for each property of a kind)
	@FOOTFALL_WORLDS=$(N) $(CARGO) test --locked $(FAULTS) --lib -- oracle:: session::
	$(call say,trends and filters through ClickHouse: a round for 400$(comma) with several questions each)
	@FOOTFALL_WORLDS=$(N) $(CARGO) test --locked $(FAULTS) --test store -- trends_are_the_twins sql_is_the_meaning
	$(call say,every kind through the whole product)
	@FOOTFALL_WORLDS=$(N) $(CARGO) test --locked $(FAULTS) --test it -- --ignored answers_are_the_twins

sdk-test: sdk    ## the SDK: types, lint, unit tests, size, a real browser
	$(call say,SDK tests)
	@cd sdk-js && npm run --silent typecheck && npm run --silent lint && npm run --silent test && npm run --silent size && npm run --silent test:browser

web-test: web    ## the dashboard: types, lint, unit tests, size
	$(call say,dashboard tests)
	@cd web && npm run --silent typecheck && npm run --silent lint && npm run --silent test && npm run --silent size

browser-test: web test-engines   ## a click in a real browser becomes DAU and a funnel
	$(call say,browser test of the whole product)
	@# The binary of the integration tests: a plain `cargo build` would compile the dependencies once more.
	@$(CARGO) test --locked $(FAULTS) --no-run --quiet
	@cd web && npm run --silent test:e2e

CASES := 10

fuzz-api: test-engines web   ## drawn requests against the served document: no 5xx, nothing undocumented; CASES=200
	$(call say,$(CASES) cases for each operation$(comma) seed $(SEED))
	@$(CARGO) test --locked $(FAULTS) --no-run --quiet
	@python3 tests/api/fuzz.py --cases $(CASES) --seed $(SEED)

bench-ingest: engines web    ## events a second, CPU an event, memory; ARGS="--help" lists the cases
	@$(CARGO) bench --locked --bench ingest -- $(ARGS)

bench-drain: engines     ## one worker drains an hour's backlog; freshness at 10,000 events/s (ARGS="--help")
	@$(CARGO) bench --locked --quiet --bench drain -- $(ARGS)

EVENTS := 20000000

bench-query: engines     ## questions a second, and what they cost beside SQL written by hand: EVENTS=100000000
	@$(CARGO) bench --locked --quiet --bench query -- --events $(EVENTS) $(ARGS)

openapi:         ## write openapi/footfall.json and the dashboard's typed client from the code
	@$(CARGO) run --quiet --locked $(FAULTS) --bin footfall -- openapi > openapi/footfall.json.new
	@mv openapi/footfall.json.new openapi/footfall.json
	@cd web && npm run --silent api:generate

engines:         ## redis-server and the ClickHouse library
	@deploy/engines/install.sh

test-engines: engines    ## what only the tests need besides: PostgreSQL, Chromium, strace, venv
	@deploy/engines/install.sh --tests

sdk: sdk-js/dist/f.js        ## the JavaScript SDK

sdk-js/node_modules/.package-lock.json: sdk-js/package.json sdk-js/package-lock.json
	$(call say,npm packages of the SDK)
	@cd sdk-js && $(NPM_CI)
	@touch $@

sdk-js/dist/f.js: sdk-js/node_modules/.package-lock.json $(wildcard sdk-js/src/*.ts) $(wildcard sdk-js/demo/*)
	$(call say,building the SDK)
	@cd sdk-js && npm run --silent build
	@touch $@

web: web/dist/index.html     ## the dashboard

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	$(call say,npm packages of the dashboard)
	@cd web && $(NPM_CI)
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json sdk-js/dist/f.js $(shell find web/src web/index.html -type f 2>/dev/null)
	$(call say,building the dashboard)
	@cd web && npm run --silent build
	@touch $@

clean:           ## remove what was built; data directories stay
	@rm -rf target sdk-js/dist web/dist
