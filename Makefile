.DEFAULT_GOAL := help

GOLANGCI_LINT_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0
TOOLS := $(CURDIR)/.tools

# Our two modules: this one, and standalone with Temporal's server.
ALL := ./... ./standalone/...

help: ## list the targets; times are of two idle cores with warm caches
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quick: ## tests without a server, browser or other program; for every edit (1 to 2 min)
	go test -short ./...

test: ## all tests of the README: a real server, and the engines that are found (10 min with every program)
	go test $(ALL)

# Packages that convert in one goroutine, or by other programs, or read papers: race leaves them to the slices of race-all.
ONE_GOROUTINE := backend/engines/(calibre|chromium|corpus|ffmpeg|fidelity|finish|gotenberg|images|libreoffice|links|pandoc|pdf|tables|text|text/.*|vips)|internal/checks

race: ## the quick tests with the race detector, and our parts together beside a server without it (5 min); vet has seen them before
	go test -race -short -vet=off -timeout 20m $$(go list ./... | grep -vE '/($(ONE_GOROUTINE))$$') ./standalone/loopback ./standalone/e2e/race

race-all: race-engines race-backend race-rest ## every test with the race detector, also work of one goroutine or of other processes (20 min)

RACE_ALL := CONVILYN_TEST_RACE=all CONVILYN_TEST_LONG=all go test -race -vet=off -timeout 30m

race-engines: ## its engines
	$(RACE_ALL) ./backend/engines/...

race-backend: ## its service and goals
	$(RACE_ALL) ./backend ./backend/goals

race-rest: ## its other packages, and what carries the server
	$(RACE_ALL) $$(go list ./... | grep -vE '/backend(/goals|/engines.*)?$$') ./standalone/loopback ./standalone/bench

check: lint workflowcheck tidy quick ## what to run before a commit (3 to 4 min)

deep: ## everything that takes long: crash matrix, soak, histories, secrets, fuzz, topology; CI runs a slice of it (50 min)
	.ci/deep

crash: ## kill every process before and after everything that activities do outside (12 min)
	go test -tags crash -run TestCrashMatrix -timeout 60m -v ./standalone/e2e/crash

SOAKTIME ?= 3m

soak: ## kill processes at random moments, for SOAKTIME (3 min)
	CONVILYN_CRASH_SOAK=$(SOAKTIME) go test -tags crash -run TestCrashSoak -timeout 0 -v ./standalone/e2e/crash

secrets: ## search for secrets in everything that work leaves behind (3 min)
	go test -tags deep -v ./standalone/e2e/secrets

corpus: ## every generated file, and those of CONVILYN_CORPUS, by every route; what is lost unsaid is a failure (10 min)
	go test -tags deep -timeout 60m -run '^(TestCorpus|TestKnownLosses)' -v ./backend/engines/corpus

topology: ## start what docker-compose.yml describes, without Docker; needs root, see .ci/topology (10 min)
	.ci/topology

lint: $(TOOLS)/golangci-lint ## the linters, with the rules on who may import whom (2 min)
	$(TOOLS)/golangci-lint run $(ALL)

fmt: $(TOOLS)/golangci-lint ## format the code
	$(TOOLS)/golangci-lint fmt ./...

workflowcheck: $(TOOLS)/workflowcheck ## look for non-determinism in workflow code (20 s)
	$(TOOLS)/workflowcheck -config workflowcheck.config.yaml ./workflows/...

tidy: ## fail when a go.mod is not tidy
	go mod tidy -diff
	cd standalone && go mod tidy -diff

# Folders with targets.
FUZZ ?= .
FUZZTIME ?= 20s
FUZZCITIME ?= 3s

fuzz: ## fuzz every target there is for FUZZTIME each (25 min)
	@grep -rl --include='*_test.go' '^func Fuzz' $(FUZZ) | xargs -n1 dirname | sed 's#^\(\./\)\?#./#' | sort -u | { failed=; while read -r package; do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c6- | sort); do \
	    echo "$$package $$target"; \
	    go test $$package -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x || failed="$$failed $$target"; \
	  done; done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }; }

fuzz-ci: ## fuzz every target for FUZZCITIME each, unguided: nothing has to be compiled again for that; what it finds it prints (6 min)
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	grep -rl --include='*_test.go' '^func Fuzz' $(FUZZ) | xargs -n1 dirname | sed 's#^\(\./\)\?#./#' | sort -u | { failed=; while read -r package; do \
	  go test -c -o "$$dir/fuzz.test" $$package || exit 1; \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c6- | sort); do \
	    echo "$$package $$target"; \
	    (cd $$package && "$$dir/fuzz.test" -test.run '^$$' -test.fuzz "^$$target$$" -test.fuzztime $(FUZZCITIME) \
	      -test.fuzzminimizetime 5s -test.fuzzcachedir "$$dir/cache") >"$$dir/log" 2>&1 || { cat "$$dir/log"; failed="$$failed $$target"; }; \
	  done; done; [ -z "$$failed" ] || echo "findings, see above:$$failed"; }

notice: ## write NOTICE, after dependencies have changed
	CONVILYN_WRITE_NOTICE=1 go test ./internal/checks -run TestNotice

examples: ## write the generated files of examples/ again
	go run ./internal/examples

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(TOOLS)/workflowcheck:
	GOBIN=$(TOOLS) go install go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION)

.PHONY: help quick test race race-all race-engines race-backend race-rest check deep crash soak secrets corpus topology lint fmt workflowcheck tidy fuzz fuzz-ci notice examples
