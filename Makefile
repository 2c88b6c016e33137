# Trellis. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up build test race fuzz bench soak lint generate tools docs clean
export TRELLIS_VENVS := $(CURDIR)/.cache
BIN := .build/trellis
# Where Go and the system's tools are when the PATH of su or sudo lacks them.
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin
# Go stamps the version with git, which refuses a checkout that belongs to another user: then it goes unstamped.
ifneq ($(shell git rev-parse HEAD >/dev/null 2>&1 && echo ok),ok)
export GOFLAGS := $(shell PATH='$(PATH)' go env GOFLAGS 2>/dev/null) -buildvcs=false
endif

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' Makefile

up: ## build, start Trellis, play the orders scenario, stay up until Ctrl-C
	@.ci/install run
	@$(MAKE) --no-print-directory build
	@$(BIN) up

build: ## build .build/trellis
	@mkdir -p .build
	go build -trimpath -o $(BIN) ./cmd/trellis

tools: ## install what the tests need
	@.ci/install test

test: tools lint ## install what the tests need and run all of them
	go test -tags thorough -timeout 20m ./...

race: ## run the tests under the race detector
	@.ci/install race
	go test -tags thorough -race -timeout 40m ./...

fuzz: ## fuzz each parser for 20 seconds (FUZZTIME=20s)
	@.ci/fuzz $(or $(FUZZTIME),20s)

bench: ## compare with other proxies, all in one run (ROWS=a,b8 ROUNDS=5 CONTESTANTS=nginx,trellis)
	@.ci/install bench
	go run ./bench $(if $(ROWS),-rows $(ROWS)) $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(CONTESTANTS),-contestants $(CONTESTANTS))

soak: ## a whole Trellis under traffic, changes and faults, to find what it does not survive (TIME=1h)
	@.ci/install soak
	go run ./bench/soak -time $(or $(TIME),1h)

lint: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l *.go */) || exit 1; [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; exit 1; }
	go vet -tags thorough ./...
	go tool staticcheck -tags thorough ./...

generate: tools ## make the generated files again: API types from botocore's model, docs/compatibility.md
	go generate ./...


docs: ## print docs/compatibility.md from the tables of operations
	go run ./api/compatibility docs/compatibility.md

clean: ## remove what was built (not the state in .trellis)
	rm -rf .build
