package settings_test

import (
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/platform/settings"
)

func TestChecksNameTheVariable(t *testing.T) {
	level := "loud"
	for what, err := range map[string]error{
		"too small": settings.Between("NAME", 0, 1, 9), "too large": settings.Between("NAME", 10, 1, 9),
		"no choice": settings.OneOf("NAME", &level, "LOW", "HIGH"), "blank": settings.Given("NAME", " \t"),
	} {
		if err == nil || err.Error()[:5] != "NAME:" {
			t.Errorf("%s: %v", what, err)
		}
	}
	level = "low"
	if err := settings.OneOf("NAME", &level, "LOW", "HIGH"); err != nil || level != "LOW" {
		t.Errorf("%q, %v", level, err)
	}
}

func TestHomeIsExpandedAtTheBeginningOnly(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	for given, want := range map[string]string{"~": "/home/somebody", "~/a": "/home/somebody/a", "/a/~": "/a/~", "~other/a": "~other/a"} {
		path := given
		if err := settings.ExpandHome("NAME", &path); err != nil || path != want {
			t.Errorf("%q became %q, %v", given, path, err)
		}
	}
}

func TestBlanksAreLeftOut(t *testing.T) {
	if got := settings.WithoutBlanks([]string{" a", "", " ", "b "}); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}

func TestAShareIsOneInSoMany(t *testing.T) {
	for text, want := range map[string]settings.Share{"0": 0, "1": 1, "1/1": 1, " 1/100 ": 100} {
		var got settings.Share
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2", "1/0", "1/-3", "0.5", "1/x", "2/3"} {
		var got settings.Share
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
