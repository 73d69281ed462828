package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// machine is a system with so much memory left.
func machine(megabytes int) fs.FS {
	return fstest.MapFS{"proc/meminfo": {Data: fmt.Appendf(nil, "MemAvailable: %d kB\n", megabytes<<10)}}
}

func fitSettings(budget int64) config.MLX {
	return config.MLX{CacheBudgetMB: budget, MaxBatchSize: 4, PrefillStepSize: 512, Device: "cpu", DType: "auto", KVBits: 16, CPUISA: "auto"}
}

// Who does what a refusal says has a model that fits.
func TestWhatARefusalAdvisesHelps(t *testing.T) {
	path := weightstest.WriteGGUF(t, weightstest.Default())
	info, err := describeModel(fitSettings(2048), "tiny", path, machine(500))
	if err != nil || info.Fits {
		t.Fatalf("2 GB in 500 MB: %+v, %v", info, err)
	}
	for _, figure := range []string{size(info.Needed), size(info.Weights), size(info.KVBudget), "this machine has 500.0 MB left"} {
		if !strings.Contains(info.Problem, figure) {
			t.Errorf("%q is not in %q", figure, info.Problem)
		}
	}
	advised := regexp.MustCompile(`SEMANTIC_MLX_CACHE_BUDGET_MB to (\d+) or less`).FindStringSubmatch(info.Problem)
	if advised == nil {
		t.Fatal(info.Problem)
	}
	budget, _ := strconv.ParseInt(advised[1], 10, 64)
	if info, err = describeModel(fitSettings(budget), "tiny", path, machine(500)); err != nil || !info.Fits || info.LongestContext != info.Context {
		t.Errorf("with the budget that was advised: %+v, %v", info, err)
	}
	if info, err = describeModel(fitSettings(budget+2), "tiny", path, machine(500)); err != nil || info.Fits {
		t.Errorf("with more than was advised: %+v, %v", info, err)
	}
}

func TestAModelThatNoBudgetMakesFit(t *testing.T) {
	path := weightstest.WriteGGUF(t, weightstest.Default())
	info, err := describeModel(fitSettings(16), "tiny", path, machine(10))
	if err != nil || info.Fits || info.LongestContext != 0 || !strings.Contains(info.Problem, "choose a smaller model") {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := describeModel(fitSettings(16), "tiny", path, fstest.MapFS{}); err != nil || !info.Fits || info.FreeOf != "" {
		t.Errorf("a system that tells nothing of its memory: %+v, %v", info, err)
	}
}

func TestABudgetThatHoldsNoConversation(t *testing.T) {
	tiny := weightstest.Default()
	tiny.Layers = 40
	info, err := describeModel(fitSettings(1), "tiny", weightstest.WriteGGUF(t, tiny), machine(5000))
	if err != nil || info.Fits || !strings.Contains(info.Problem, "holds fewer than 512 tokens") {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestAModelThatDoesNotFitIsRefusedAtTheStart(t *testing.T) {
	path := weightstest.WriteGGUF(t, weightstest.Default())
	cfg := fitSettings(1 << 30) // a petabyte
	_, err := openModel(cfg, path, func(string, float64) {}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "SEMANTIC_MLX_MEMORY_CHECK=warn") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	w, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f, err := fitOf(cfg, modelConfig(cfg, w), machine(500))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cfg.MemoryCheck = "warn"
	if err := f.check(cfg, slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), "model_may_not_fit") {
		t.Errorf("%v, %s", err, &log)
	}
}

func TestModelsInfoTellsWhatServeWouldFind(t *testing.T) {
	hubOf(t)
	if _, _, err := command(t, "models", "info", "owner/name"); err == nil || !strings.Contains(err.Error(), "models pull owner/name") {
		t.Errorf("before it is fetched: %v", err)
	}
	if _, _, err := command(t, "models", "pull", "owner/name"); err != nil {
		t.Fatal(err)
	}
	out, _, err := command(t, "models", "info", "owner/name", "--json")
	var info modelInfo
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatal(err)
	}
	if err != nil || info.Architecture != "llama" || info.Weights == 0 || info.KVToken == 0 || info.LongestContext == 0 || info.Name != "owner/name" {
		t.Errorf("%s, %v", out, err)
	}
	if out, _, err := command(t, "models", "info", info.Path); err != nil || !strings.Contains(out, "longest context that fits") {
		t.Errorf("%s, %v", out, err)
	}
}
