package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestAMistypedSettingIsTold(t *testing.T) {
	t.Setenv("SEMANTIC_SERVER_PROT", "9000")
	t.Setenv("SEMANTIC_CACHING_API_PORT", "tcp://10.0.0.1:8000") // Kubernetes's
	t.Setenv("SEMANTIC_SERVER_PORT", "not a port")
	var out, errs bytes.Buffer
	if err := run(t.Context(), []string{"config"}, &out, &errs); err == nil {
		t.Error("a wrong port is taken")
	}
	t.Setenv("SEMANTIC_SERVER_PORT", "9001")
	if err := run(t.Context(), []string{"config"}, &out, &errs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(errs.String(), "SEMANTIC_SERVER_PROT: no setting has this name") || !strings.Contains(errs.String(), "was SEMANTIC_SERVER_PORT meant?") || strings.Contains(errs.String(), "CACHING_API") {
		t.Error(errs.String())
	}
	if !strings.Contains(out.String(), "SEMANTIC_SERVER_PORT=9001") || strings.Contains(out.String(), "PROT") {
		t.Error(out.String())
	}
}

// The server starts all the same, and its log tells.
func TestTheServerWarnsOfAMistypedSetting(t *testing.T) {
	t.Setenv("SEMANTIC_MLX_CACHE_BUGDET_MB", "1")
	t.Setenv("SEMANTIC_SERVER_PORT", "0")
	t.Setenv("SEMANTIC_AGENT_CACHE_DIR", t.TempDir())
	t.Setenv("SEMANTIC_MLX_MODEL_ID", t.TempDir()+"/no-such.gguf")
	var errs bytes.Buffer
	if err := run(t.Context(), []string{"serve"}, &bytes.Buffer{}, &errs); err == nil {
		t.Error("a model that is not there is served")
	}
	if !strings.Contains(errs.String(), "event=setting_unknown name=SEMANTIC_MLX_CACHE_BUGDET_MB") || !strings.Contains(errs.String(), "nearest=SEMANTIC_MLX_CACHE_BUDGET_MB") {
		t.Error(errs.String())
	}
}

// The doctor names what is wrong, and ends with an error if a server would not run.
func TestTheDoctorTellsWhatIsWrong(t *testing.T) {
	t.Setenv("SEMANTIC_SERVER_PROT", "9000")
	t.Setenv("SEMANTIC_SERVER_PORT", "0")
	t.Setenv("SEMANTIC_AGENT_CACHE_DIR", t.TempDir())
	t.Setenv("SEMANTIC_MLX_CACHE_BUDGET_MB", "1")
	t.Setenv("SEMANTIC_MLX_MODEL_ID", t.TempDir()+"/no-such.gguf")
	var out bytes.Buffer
	err := run(t.Context(), []string{"doctor"}, &out, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "1 of 8 checks") {
		t.Error(err)
	}
	for _, line := range []string{"settings   warning  SEMANTIC_SERVER_PROT", "model      problem", "do: check SEMANTIC_MLX_MODEL_ID", "port       ok"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is missing in\n%s", line, out.String())
		}
	}
}
