# What a person types. Everything needs Rust and a C compiler; what else a target needs, it says or installs.

CARGO ?= cargo
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo build yara test lint format-check clippy deny web web-check bench fuzz

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## Run the main job: an alliance, its sensors and one attack (more: ARGS="--headless --json")
	$(CARGO) run --release --locked -p shieldwall-cli -- demo $(ARGS)

build: ## The one binary, target/release/shieldwall
	$(CARGO) build --release --locked -p shieldwall-cli

yara: ## The YARA engine that `shieldwall scan --rules` starts, put beside target/release/shieldwall
	bash scripts/yara.sh

test: ## Every test, browser and TAXII client included; as root on a Debian-like system it installs what they need
	bash scripts/test.sh

lint: format-check clippy deny web-check ## All of the next four

format-check: ## rustfmt, changes nothing
	$(CARGO) fmt --all -- --check

clippy: ## Clippy over the workspace, warnings are errors
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

deny: ## Licences, banned crates, sources; advisories where their database can be fetched
	bash scripts/deny.sh

web: ## Rebuild web/dist from web/src
	bash scripts/web.sh build

web-check: ## Fail unless web/dist is what web/src builds to
	bash scripts/web.sh check

fuzz: ## Fuzz every parser, 60 s each (more: ARGS=3600); a campaign of its own, not part of `make test`
	bash scripts/fuzz.sh $(ARGS)

bench: ## Measure (see BENCHMARKS.md)
	bash scripts/bench.sh $(ARGS)
