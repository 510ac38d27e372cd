# `make` alone prints what there is. Variables to set on the command line:
# ARGS for `up`, FUZZTIME for `fuzz`, SEEDS for `sim`, FAULTS for `soak`, PKG (default ./...) for what to test.

GO       ?= go
PKG      ?= ./...
FUZZTIME ?= 5s
SEEDS    ?= 200
FAULTS   ?= 200
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := help
.PHONY: help build up demo test quick check fmt vet lint race fuzz sim soak flood newcomer churn peers owt-scheduler owt-conference livekit start bench bench-once figures licences vulnerabilities docs tools dist clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# The version is stamped by us: Go's own stamp fails in a checkout of another user.
build: ## build bin/muster and bin/musterbench
	@$(GO) build -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/muster ./cmd/musterbench

up: build ## build, then run a queue, a manager and three workers (ARGS='--workers 5')
	@bin/muster up $(ARGS)

demo: build tools ## transcode ten clips while an agent and an ffmpeg are killed; odd files in the background
	@scripts/demo

# Two packages at a time, on any machine: many start brokers and processes, and mostly
# wait for them.
test: tools ## run every test; installs RabbitMQ, Node.js, ffmpeg, Chromium and others where missing (root)
	@GO='$(GO)' scripts/test -p 2 -timeout 25m $(PKG)

# The packages without brokers, processes and media.
QUICK = . ./config ./docs ./client ./node ./bus ./bus/connect ./worker/load ./internal/cli ./internal/liveness ./internal/mailbox ./internal/nearest ./internal/pause ./internal/sched ./internal/state ./internal/wire \
	./internal/replica/owt/election ./internal/bench/measure ./internal/bench/testbed

quick: ## build, vet, and test what needs no broker: the inner loop
	$(GO) build ./... && $(GO) vet $(QUICK) && $(GO) test $(QUICK)

check: FUZZTIME = 500x
check: fmt vet lint licences vulnerabilities race fuzz bench-once test ## what CI runs: format, vet, lint, licences, vulnerabilities, race detector, short fuzzing, benchmarks once, every test

fmt: ## list files that gofmt would change, and fail if there are any
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt -w these:"; echo "$$files"; exit 1; }

vet: ## run go vet
	$(GO) vet $(PKG)

# staticcheck.conf has the checks and their reasons; go.mod has the version.
lint: ## run staticcheck
	$(GO) tool staticcheck $(PKG)

licences: ## list the licences of what is linked; fail on one that is not permissive
	@$(GO) run ./scripts/licences

vulnerabilities: ## look what is linked up in Go's database of vulnerabilities, where that can be reached
	@GO='$(GO)' scripts/vulnerabilities

# Where the race detector looks in CI: the packages in which goroutines meet, but those
# that need minutes without it. RACE=./... is everything.
RACE = ./agent ./bus ./bus/internal/... ./bus/natsbus/... ./client ./internal/batch ./internal/conference ./internal/connlimit ./internal/host ./internal/lifecycle ./internal/liveness \
	./internal/mailbox ./internal/pause ./internal/portal/owtportal ./internal/replica/raft ./internal/room ./internal/rtc ./internal/sfu/... ./internal/socketio ./node ./worker

race: tools ## test packages where goroutines meet under the race detector (RACE=./... for all)
	CGO_ENABLED=1 $(GO) test -race -timeout 25m $(RACE)

fuzz: ## run every fuzz target of PKG for FUZZTIME (default 5s, or 500x for 500 inputs)
	@GO='$(GO)' scripts/fuzz $(FUZZTIME) $(PKG)

sim: ## simulate whole clusters, and Raft alone, with SEEDS seeds (default 200)
	$(GO) test ./internal/simtest ./internal/replica/raft -count 1 -timeout 120m -run TestSimulation -seeds $(SEEDS)

soak: tools ## inject FAULTS random faults into real managers (default 200)
	$(GO) test ./internal/systemtest -count 1 -v -timeout 24h -run TestFaultsAtRandom -faults $(FAULTS)

flood: tools ## flood managers, and the least server, for FLOOD each (default 15s), and print honest p99 beside each flood
	$(GO) test ./internal/systemtest -count 1 -v -timeout 30m -run TestFlood -plain -flood $(or $(FLOOD),15s)

newcomer: ## measure a manager that joins 1,000,000 tasks
	$(GO) test ./internal/replica/raft -run '^$$' -bench BenchmarkNewcomer -benchtime 10x -timeout 20m

churn: ## start, use and crash nodes for CHURN (default 60s), and see that nothing is left
	$(GO) test ./agent -count 1 -timeout 30m -v -run TestChurn -churn $(or $(CHURN),60s)

peers: build tools ## measure Muster beside a key-value bucket and etcd (ten minutes at most)
	@bin/musterbench peers $(ARGS)

owt-scheduler: build tools ## measure Muster's scheduler beside OWT's scheduler.js (ARGS: a checkout of owt-server)
	@scripts/peers-owt $(ARGS)

owt-conference: tools ## test OWT's own conference and portal with Muster's SFU (ARGS: a checkout of owt-server)
	@GO='$(GO)' scripts/owt-conference $(ARGS)

livekit: build ## measure Muster's SFU beside LiveKit's server (ARGS: that program, 1.9.11)
	@scripts/peers-livekit $(ARGS)

start: build ## measure muster schedule beside the least program on NATS
	@$(GO) build -o bin/ ./internal/peers/leastnats
	@bin/musterbench start $(ARGS)

bench: ## run every benchmark
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $(PKG)

bench-once: ## run every benchmark of PKG at one iteration, so that none rots
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 10m $(PKG)

figures: build tools ## measure the figures of docs/benchmarks.md anew (long)
	scripts/bench-docs -u

docs: ## write the pages in docs/ that are generated
	$(GO) test ./config -run '^TestManual$$' -update

tools:
	@scripts/install-tools

# A version of Debian's begins with a digit.
dist: ## build a release into dist/ (VERSION=1.2.0): archives, Debian packages, images, checksums
	@GO='$(GO)' scripts/dist $(patsubst v%,%,$(if $(filter unknown,$(VERSION)),0.0.0,$(VERSION)))

clean: ## remove what was built
	rm -rf bin dist
