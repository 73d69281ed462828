package settings_test

import (
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/platform/settings"
	"github.com/alecthomas/kong"
)

func TestAMistypedVariableIsToldWithTheNearest(t *testing.T) {
	var grammar struct {
		Port   int    `env:"APP_SERVER_PORT"`
		Host   string `env:"APP_SERVER_HOST,APP_HOST"`
		Budget int    `env:"APP_CACHE_BUDGET_MB"`
	}
	parser, err := kong.New(&grammar)
	if err != nil {
		t.Fatal(err)
	}
	got := settings.UnknownIn([]string{
		"APP_SERVER_PRT=1", "APP_SERVER_PORT=2", "APP_HOST=x", "OTHER_SERVER_PRT=3", "APP_CACHE_BUGDET_MB=4", "APP_ENTIRELY_DIFFERENT=", "APP_SERVER_HOSTS=y=z",
	}, "APP_", parser.Model.Flags)
	want := []settings.Unknown{
		{Name: "APP_CACHE_BUGDET_MB", Nearest: "APP_CACHE_BUDGET_MB"}, {Name: "APP_ENTIRELY_DIFFERENT"},
		{Name: "APP_SERVER_HOSTS", Nearest: "APP_SERVER_HOST"}, {Name: "APP_SERVER_PRT", Nearest: "APP_SERVER_PORT"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
