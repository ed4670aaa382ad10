# Tocsin. `make run` and `make test` need nothing but Go (make test installs the few Debian packages it uses).
GO       ?= go
FUZZTIME ?= 20s
COUNT    ?= 6
ARGS     ?=
TOOLS    := .tools
export CGO_ENABLED = 0

.DEFAULT_GOAL := build
.PHONY: build run test race fuzz bench lint fmt golden interop soak check help

build: ## build the one program into bin/
	$(GO) build -o bin/ ./cmd/...

run: build ## build and run a broker on loopback: VTP 8098 and 8099, HTTP 8080, data in ./data (ARGS="--data DIR ...")
	bin/tocsin serve $(ARGS)

test: ## all tests, shuffled; installs what they need first
	scripts/setup-test.sh
	$(GO) vet ./...
	$(GO) test -shuffle=on ./...

race: ## the same tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -shuffle=on ./...

fuzz: ## every fuzz target for FUZZTIME each (FUZZTIME=20s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

bench: build ## benchmarks and the load client, compared with docs/bench.txt (COUNT=6)
	scripts/tools.sh benchstat
	GO=$(GO) COUNT=$(COUNT) scripts/bench.sh

lint: ## golangci-lint, import rules included
	scripts/tools.sh golangci-lint
	$(TOOLS)/golangci-lint run ./...

fmt: ## gofumpt and goimports over the whole tree
	scripts/tools.sh golangci-lint
	$(TOOLS)/golangci-lint fmt ./...

golden: ## rewrite golden files; read the diff before you commit it
	$(GO) test $$(scripts/golden-packages.sh) -update

interop: ## against other people's software and the published schemas, where they are present
	scripts/setup-test.sh
	$(GO) test -tags interop -count=1 ./...

soak: build ## minutes of it: kill -9 a hundred times under load, nothing acknowledged lost, nothing out of order
	$(GO) run ./internal/load -program bin/tocsin -only kill -kills 100

check: lint test race ## what must pass before a commit

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
