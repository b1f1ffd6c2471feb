SHELL := bash
.SHELLFLAGS := -euo pipefail -c
# The go command uses all cores by itself, and what deps installs comes first.
.NOTPARALLEL:
.DEFAULT_GOAL := help

# "./..." leaves out folders called testdata.
ALL := ./... ./testdata/gen/...

# Modules of their own, so that what they need is not needed by all users.
MODULES := spanlink recorder collector/goexectracereceiver examples/slowrequest e2e/distributed/service testdata/gen/spanlink

# The go command optimizes trace2x with cmd/trace2x/default.pgo, and for that compiles all
# that it needs once more than for other packages. Checks do without.
CHECK := -pgo=off

# More flags for "go test", as in TESTFLAGS='-run Chain -v'.
TESTFLAGS ?=
# Per package. The first one that starts Jaeger builds it, which takes minutes;
# go test's own limit is 10m.
TIMEOUT ?= 40m
# The tests that compare with "go tool trace" run with this version too: its tool and
# its traces differ from those of the version in go.mod.
NEWER_GO := go1.27.3
# A regular expression of benchmarks, and flags, as in BENCHFLAGS='-count 10'.
BENCH ?= .
BENCHFLAGS ?= -benchmem
# Of make bench.
BENCHARGS ?=
# For each fuzz target.
FUZZTIME ?= 30s
# The version that "make dist" builds; without it, the version that git tells.
VERSION ?=
# Names of test traces to make again, as in TRACES=chain.trace; none for all.
TRACES ?=

STATICCHECK := go tool -modfile=tools/go.mod staticcheck

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## Build bin/trace2x
	go build -o bin/trace2x ./cmd/trace2x

.PHONY: test
test: deps lint ## Run all checks and all tests, with the race detector
	CGO_ENABLED=1 go test $(CHECK) -race -timeout $(TIMEOUT) $(TESTFLAGS) ./...
	@for m in $(MODULES); do (set -x; CGO_ENABLED=1 go -C $$m test -race -timeout $(TIMEOUT) $(TESTFLAGS) ./...) || exit; done
	go -C tools test $(TESTFLAGS) ./...

.PHONY: test-newer-go
test-newer-go: ## Compare with go tool trace of a newer version of Go too
	GOTOOLCHAIN=$(NEWER_GO) go test -timeout $(TIMEOUT) -run 'GoTool' $(TESTFLAGS) ./convert/pprof ./report

.PHONY: test-short
test-short: ## Run the tests that need nothing but Go
	go test $(CHECK) -short $(TESTFLAGS) ./...
	@for m in $(MODULES); do (set -x; go -C $$m test -short $(TESTFLAGS) ./...) || exit; done

.PHONY: lint
lint: ## Check the format, vet, staticcheck; build everything
	@tools/deps.sh cc
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "gofmt would change:"; echo "$$files"; exit 1; }
	CGO_ENABLED=1 go build $(CHECK) $(ALL)
	CGO_ENABLED=1 go vet $(CHECK) $(ALL)
# What is behind build tags there, and what is missing from them here.
	@for os in windows darwin; do (set -x; GOOS=$$os CGO_ENABLED=0 go vet $(CHECK) ./...) || exit; done
# Not testdata/gen: its programs compute and allocate what nobody uses, on purpose.
	$(STATICCHECK) ./...
	@for m in $(MODULES); do for os in "" windows darwin; do (set -x; GOOS=$$os go -C $$m vet ./...) || exit; done; done
	@for m in $(filter-out testdata/%,$(MODULES)); do (set -x; go -C $$m tool -modfile=$(CURDIR)/tools/go.mod staticcheck ./...) || exit; done
	go -C tools vet ./...
	go -C tools tool staticcheck ./...

.PHONY: tidy
tidy: ## Tidy go.mod of all modules, after a change of the requirements of one
	go mod tidy
	@for m in $(MODULES) collector/distribution tools; do (set -x; go -C $$m mod tidy) || exit; done

.PHONY: bench
bench: ## Measure speed, memory and size against their bars (some minutes); BENCHARGS=-short
	go run ./e2e/bench $(BENCHARGS)

.PHONY: pgo
pgo: ## Make the profile with which trace2x is optimized (about a minute)
	go run ./e2e/bench pgo

# Not the benchmarks of e2e, which measure how long other programs take to start.
.PHONY: benchmarks
benchmarks: ## Run the Go benchmarks; BENCH=regexp selects
	@folders=$$({ grep -rl --include='*_test.go' --exclude-dir=e2e '^func Benchmark' . || true; } | sed 's,/[^/]*$$,,' | sort -u); \
	[ -n "$$folders" ] || { echo "there are no benchmarks"; exit 1; }; \
	for f in $$folders; do go -C "$$f" test -run '^$$' -bench '$(BENCH)' $(BENCHFLAGS) .; done | tee bench.txt
	@echo "These results are also in bench.txt, which benchstat can compare with others."

# One by one, because go test fuzzes no more than one target at a time. A target that
# fails does not keep the next from running.
.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s)
	@targets=$$(grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' .) || { echo "there are no fuzz targets"; exit 1; }; \
	failed=; \
	while IFS=: read -r file func; do \
		echo "$${file%/*} $${func#func }"; \
		go test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) "$${file%/*}" </dev/null || failed="$$failed $${func#func }"; \
	done <<<"$$targets"; \
	[ -z "$$failed" ] || { echo "these failed:$$failed"; exit 1; }

.PHONY: traces
traces: ## Make the test traces again; TRACES='chain.trace ...' selects
	testdata/gen/make.sh $(TRACES)

# The generated file's header has the version of protoc, so a test that compares
# it would depend on the machine.
.PHONY: generate
generate: ## Generate the protobuf code
	@tools/deps.sh protoc
	go build -modfile=tools/go.mod -o bin/ google.golang.org/protobuf/cmd/protoc-gen-go
	PATH="$(CURDIR)/bin:$$PATH" go generate ./...

.PHONY: dist
dist: ## Build the archives of a release into dist; VERSION=v1.2.3
	go run -C tools ./dist -version '$(VERSION)'

.PHONY: dist-check
dist-check: ## The same twice, the second time without a cache, and compare
	go run -C tools ./dist -version '$(VERSION)' -check

.PHONY: deps
deps: ## Check for what the tests need besides Go; with apt-get, install it
	@tools/deps.sh cc chromium curl node git

.PHONY: clean
clean: ## Remove what was built here; the e2e tests' cache is elsewhere
	rm -rf bin dist bench.txt
