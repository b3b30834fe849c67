.DEFAULT_GOAL := help

GOLANGCI_LINT_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0
TOOLS := $(CURDIR)/.tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: lint workflowcheck tidy race ## everything that CI runs, but for the plain tests

test: ## the tests
	go test ./...

race: ## the tests of our packages with the race detector
	go test -race -timeout 30m ./...

crash: ## kill every process before and after everything that activities do outside
	go test -tags crash -run TestCrashMatrix -timeout 60m -v ./standalone

lint: $(TOOLS)/golangci-lint ## the linters, with the rules on who may import whom
	$(TOOLS)/golangci-lint run ./...

fmt: $(TOOLS)/golangci-lint ## format the code
	$(TOOLS)/golangci-lint fmt ./...

workflowcheck: $(TOOLS)/workflowcheck ## look for non-determinism in workflow code
	$(TOOLS)/workflowcheck -config workflowcheck.config.yaml ./workflows/...

tidy: ## fail when go.mod is not tidy
	go mod tidy -diff

FUZZTIME ?= 20s
FUZZCITIME ?= 3s

fuzz: ## fuzz every target there is for FUZZTIME each
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | { failed=; while read -r package; do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c6- | sort); do \
	    echo "$$package $$target"; \
	    go test $$package -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x || failed="$$failed $$target"; \
	  done; done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }; }

fuzz-ci: ## fuzz every target for FUZZCITIME each, unguided: nothing has to be compiled anew for that
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | { failed=; while read -r package; do \
	  go test -c -o "$$dir/fuzz.test" $$package || exit 1; \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c6- | sort); do \
	    echo "$$package $$target"; \
	    (cd $$package && "$$dir/fuzz.test" -test.run '^$$' -test.fuzz "^$$target$$" -test.fuzztime $(FUZZCITIME) \
	      -test.fuzzminimizetime 5s -test.fuzzcachedir "$$dir/cache") >"$$dir/log" 2>&1 || { cat "$$dir/log"; failed="$$failed $$target"; }; \
	  done; done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }; }

notice: ## write NOTICE, after dependencies have changed
	CONVILYN_WRITE_NOTICE=1 go test ./internal/checks -run TestNotice

examples: ## write the generated files of examples/ anew
	go run ./internal/examples

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(TOOLS)/workflowcheck:
	GOBIN=$(TOOLS) go install go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION)

.PHONY: help check test race crash lint fmt workflowcheck tidy fuzz fuzz-ci notice examples
