# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Needed beforehand: Go 1.26, Node.js 20 or newer with npm, Python 3.11 with venv
# (for the AWS emulators of the tests) and (for the browser test) a Debian or Ubuntu to take Chromium from, or a chromium in PATH.

GO      ?= go
BIN     := bin/anchor
# All of Go is compiled in one way, so that what the binary has compiled serves the linter and the tests, too.
export CGO_ENABLED ?= 0
export GOFLAGS     ?= -trimpath
# A release sets VERSION to its tag. Without it a binary's version is what go build records from Git.
VERSION ?=
LDFLAGS := -s -w $(if $(VERSION),-X github.com/anchor-deploy/anchor/internal/cli.release=$(VERSION))
# Not in tools/go.mod, which every lint would then download for. 2.18 needs Go 1.27; 2.16 and 2.17
# need a module that the Go proxy does not serve.
GORELEASER ?= $(GO) run github.com/goreleaser/goreleaser/v2@v2.15.1
# The examples carry their version label in every page; tests and benchmarks
# rewrite this one, so its length matters and its spelling must be unique.
LABEL   := storefront-0001

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

# The code of the AWS handlers, which the anchor binary carries. It is built for
# both architectures whatever this machine's is, and the same source makes the same zips.
.PHONY: handlers
handlers: ## The AWS handlers' zips in internal/aws/install/handlers
	env -u GOOS -u GOARCH $(GO) run ./internal/aws/install/pack

# The aws commands, which the anchor binary carries packed (internal/aws/companion).
PROGRAM := internal/aws/companion/program/anchor-aws.gz

.PHONY: companion
companion: handlers ## The aws commands in internal/aws/companion/program
	$(GO) build -buildvcs=auto -ldflags '$(LDFLAGS)' -o bin/anchor-aws ./cmd/anchor-aws
	@gzip -nc bin/anchor-aws > bin/anchor-aws.gz
	@cmp -s bin/anchor-aws.gz $(PROGRAM) || cp bin/anchor-aws.gz $(PROGRAM) # an older file spares a build

.PHONY: build
build: companion ## The anchor binary in bin/
	@$(MAKE) --no-print-directory anchor

# The binary without what of the two above was never made: all but the aws commands.
.PHONY: anchor
anchor:
	$(GO) build -buildvcs=auto -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/anchor

# One target at a time: each embeds the aws commands of its own platform from the same file.
.PHONY: release-snapshot
release-snapshot: ## Build the release in dist/ without publishing it
	env -u GOOS -u GOARCH $(GORELEASER) release --snapshot --clean --parallelism 1 $(SNAPSHOT_FLAGS)

# The unit and the profile for packages, which install in /usr/bin.
.PHONY: package-files
package-files:
	@mkdir -p bin/package
	@sed -e 's#/usr/local/bin/anchor#/usr/bin/anchor#' -e '/^# Anchor as/,/^$$/d' deploy/anchor.service > bin/package/anchor.service
	@sed -e 's#/usr/local/bin/anchor#/usr/bin/anchor#' -e '/^#/d' deploy/anchor.apparmor > bin/package/anchor.apparmor

.PHONY: demo
demo: check-node anchor examples/storefront/.open-next/.stamp ## Build, start, deploy the example shop, print its URL, stay up
	@scripts/demo

.PHONY: examples
examples: check-node $(addprefix examples/,$(addsuffix /.open-next/.stamp,storefront pages legacy atlas)) ## Build the example apps with OpenNext

# An example is built again when its sources or its lockfile change.
examples/%/.open-next/.stamp: check-node FORCE
	@STOREFRONT_VERSION=$(LABEL) scripts/build-example examples/$*

.PHONY: FORCE
FORCE:

.PHONY: check-node
check-node:
	@scripts/check-node

.PHONY: chromium
chromium:
	@scripts/install-chromium

# The AWS emulators, pinned, in a Python environment of the project's own.
.PHONY: emulators
emulators: .venv/.stamp

.venv/.stamp: tools/emulators/requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-virtualenv --no-deps -r $<
	touch $@

# checkov pins other versions of the emulators' libraries.
.PHONY: checkov
checkov: .checkov/.stamp

.checkov/.stamp: tools/checkov/requirements.txt
	python3 -m venv .checkov
	.checkov/bin/pip install --quiet --disable-pip-version-check --require-virtualenv --no-deps -r $<
	touch $@

# GitHub's published examples of deliveries, and a mock of its API, for the tests of package forge.
PAYLOADS := internal/local/forge/payloads

.PHONY: payloads
payloads: $(PAYLOADS)/node_modules/.stamp

$(PAYLOADS)/node_modules/.stamp: $(PAYLOADS)/package-lock.json $(PAYLOADS)/cut.mjs
	npm ci --prefix $(PAYLOADS) --ignore-scripts --no-audit --no-fund --loglevel error
	node $(PAYLOADS)/cut.mjs
	touch $@

# The accessibility checks of the dashboard's browser test.
.PHONY: axe
axe: e2e/axe/node_modules/.stamp

e2e/axe/node_modules/.stamp: e2e/axe/package-lock.json
	npm ci --prefix e2e/axe --ignore-scripts --no-audit --no-fund --loglevel error
	touch $@

# The Go code of the dashboard's pages, which is committed.
.PHONY: templ
templ:
	$(GO) tool -modfile=tools/go.mod templ generate -path internal/dashboard -log-level error

# Most tests wait: for emulators, for Node.js, for time limits. Three packages at a time, and
# four of the parallel tests of each, keep two processors busy.
TEST := $(GO) test -p 3 -parallel 4 -timeout 20m

# The race detector has nothing to find in packages that neither start goroutines nor share state
# between them. A package that is not listed here is tested under the detector, too.
UNRACED := api/filepack|artifact/opennext|artifact/staticfile|aws/awserr|aws/awsretry|aws/codebuild|aws/companion|aws/install|aws/install/pack|local/discovery|local/worker/egress|release/guard|testleak|testport

# Libraries that compute, and share nothing between goroutines: the detector has nothing to find in them, and makes SQLite,
# which is C translated to Go, some fourteen times slower. The compiler leaves them as they are.
UNCHECKED := modernc.org github.com/klauspost/compress github.com/andybalholm/brotli
RACE_FLAGS := -race $(foreach m,$(UNCHECKED),-gcflags=$(m)/...=-race=false)

# Tests of the walls around a child process. Nearly all of their time is the other process's.
UNRACED_TESTS := ^(TestWalls_OrdinaryUser|TestWalls_HostileAppReachesNothing|TestWalls_AppsWork)$$
UNRACED_IN    := ./internal/local/worker

# 1: packages with goroutines run under the race detector. CI sets it.
RACE ?=
raced = $$($(GO) list ./internal/... | grep -vE '/internal/($(UNRACED))$$' | sort -r)
plain = $$($(GO) list ./... | grep -vE '/internal/'; $(GO) list ./internal/... | grep -E '/internal/($(UNRACED))$$')

.PHONY: test
test: ## Linter and all tests but the slow suite; RACE=1: under the race detector
	@$(MAKE) --no-print-directory -j2 lint examples chromium emulators payloads axe
ifeq ($(RACE),)
	$(TEST) ./...
else
	CGO_ENABLED=1 $(TEST) $(RACE_FLAGS) -skip '$(UNRACED_TESTS)' $(raced)
	$(TEST) $(plain)
	$(TEST) -run '$(UNRACED_TESTS)' $(UNRACED_IN)
endif

# The tests of the slow suite are in files with the build tag slow. The others of their packages ran in make test.
SLOW    := TestKill[A-Z]|TestNoLost|TestConcurrent|TestManyNames|TestPush|TestShipped|TestStand|TestDifferential|TestReleasesOnAWS|TestRefusalsOnAWS|TestExternalMiddlewareOnAWS|TestConformanceOnMoto
SLOW_IN := ./e2e ./internal/local/acme/... ./internal/local/edge ./internal/aws/certificate ./internal/aws/dynamo

.PHONY: test-slow
test-slow: build examples emulators checkov ## Switches under load, kill -9, concurrency, pushes, AWS: some ten minutes
	@scripts/install-bench-peers nginx varnish
	$(GO) test -tags slow -count=1 -timeout 40m -v -run "$(SLOW)" $(SLOW_IN)

# Not in CI: the order in which an answer and the reset of its stream arrive is not fixed, and h2spec
# accepts one of the two.
.PHONY: test-h2spec
test-h2spec: ## The conformance test of HTTP/2
	$(GO) test -tags slow -count=1 -v -run TestH2Spec ./internal/local/edge

.PHONY: lint
lint: ## golangci-lint, zero findings
	@$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

.PHONY: bench
bench: build examples ## Measure against named peers; writes bench/report.md
	@scripts/install-bench-peers
	$(GO) run ./bench

.PHONY: docs
docs: build ## Regenerate the CLI and API reference
	$(GO) run ./docs/generate

.PHONY: clean
clean: ## Remove what the build made
	rm -rf bin dist examples/*/.open-next examples/*/.next
