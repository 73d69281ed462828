package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/platform/settings"
	"github.com/alecthomas/kong"
)

// load reads the settings from the environment and the arguments.
func load(t *testing.T, args ...string) (*config.Config, *kong.Kong, error) {
	t.Helper()
	var grammar struct {
		config.Config `embed:""`
	}
	parser, err := kong.New(&grammar)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		return nil, nil, settings.Explain(err)
	}
	return &grammar.Config, parser, grammar.Complete()
}

func TestDefaultsAreThoseOfTheContract(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	cfg, _, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Server.Port != 8000 || cfg.Server.Host != "127.0.0.1" || cfg.MLX.CacheBudgetMB != 2048 || cfg.MLX.MaxBatchSize != 4 ||
		cfg.MLX.PrefillStepSize != 512 || cfg.Server.RateLimitPerAgent != 60 || cfg.Server.RateLimitGlobal != 1000 ||
		cfg.MLX.ModelID != "mlx-community/gemma-2-2b-it-4bit" || cfg.Agent.CacheDir != "/home/somebody/.cache/agent_memory" {
		t.Errorf("%+v", cfg)
	}
}

func TestAKeyOpensTheServer(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "one, two,")
	cfg, _, err := load(t)
	if err != nil || cfg.Server.Host != "0.0.0.0" || len(cfg.APIKeys) != 2 || cfg.APIKeys[1] != "two" {
		t.Errorf("%+v, %v", cfg, err)
	}
}

func TestTheRunbooksAliasOfTheBudget(t *testing.T) {
	t.Setenv("SEMANTIC_CACHE_BUDGET_MB", "7")
	if cfg, _, err := load(t); err != nil || cfg.MLX.CacheBudgetMB != 7 {
		t.Errorf("%+v, %v", cfg, err)
	}
}

func TestAWrongValueIsNamedByItsVariable(t *testing.T) {
	for name, value := range map[string]string{
		"SEMANTIC_SERVER_PORT":                 "http",
		"SEMANTIC_SERVER_MAX_QUEUE":            "0",
		"SEMANTIC_SERVER_LOG_LEVEL":            "LOUD",
		"SEMANTIC_SERVER_HOST":                 "0.0.0.0",
		"SEMANTIC_SERVER_DRAIN_SECONDS":        "-1",
		"SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT": "many",
		"SEMANTIC_SERVER_RATE_LIMIT_GLOBAL":    "-5",
		"SEMANTIC_MLX_CACHE_BUDGET_MB":         "0",
		"SEMANTIC_MLX_MAX_BATCH_SIZE":          "0",
		"SEMANTIC_MLX_PREFILL_STEP_SIZE":       "1.5",
		"SEMANTIC_MLX_DEVICE":                  "abacus",
		"SEMANTIC_MLX_DTYPE":                   "int3",
		"SEMANTIC_MLX_CPU_ISA":                 "z80",
		"SEMANTIC_MLX_MODEL_ID":                " ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, _, err := load(t)
			if err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestPrintingMasksSecrets(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "very-secret")
	t.Setenv("SEMANTIC_SERVER_PORT", "9000")
	_, parser, err := load(t, "--server-max-queue=5")
	if err != nil {
		t.Fatal(err)
	}
	all := settings.Effective(parser.Model.Flags)
	for _, want := range []settings.Setting{
		{Name: "SEMANTIC_SERVER_PORT", Value: "9000"}, {Name: "SEMANTIC_SERVER_MAX_QUEUE", Value: "5"}, {Name: "ANTHROPIC_API_KEY", Value: "********"},
	} {
		if !slices.Contains(all, want) {
			t.Errorf("%v is missing in %v", want, all)
		}
	}
	if text := fmt.Sprint(all); strings.Contains(text, "very-secret") {
		t.Error("the key is shown")
	}
}
