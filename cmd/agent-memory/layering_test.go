package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/agent-memory/agent-memory/"

// allowed tells which layers a layer may import, besides itself and libraries.
func allowed() map[string][]string {
	return map[string][]string{
		"cmd":      {"modules", "mlx", "platform", "migrations"},
		"modules":  {"mlx", "platform"},
		"mlx":      {"platform"},
		"platform": {},
	}
}

// Arrows point down only, and a module never imports another. Tests may stand on more.
func TestLayersPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 10 {
		t.Fatalf("go list found only %d packages", len(lines))
	}
	for _, line := range lines {
		packages := strings.Fields(line)
		for _, imported := range packages[1:] {
			if !mayImport(packages[0], imported) {
				t.Errorf("%s must not import %s", packages[0], imported)
			}
		}
	}
}

func mayImport(importer, imported string) bool {
	from, inside := strings.CutPrefix(importer, module)
	to, ours := strings.CutPrefix(imported, module)
	if !inside || !ours {
		return true
	}
	fromLayer, fromRoom, _ := strings.Cut(from, "/")
	toLayer, toRoom, _ := strings.Cut(to, "/")
	if fromLayer == toLayer {
		return fromLayer != "modules" || firstOf(fromRoom) == firstOf(toRoom)
	}
	layers, known := allowed()[fromLayer]
	if !known {
		return true
	}
	for _, layer := range layers {
		if layer == toLayer {
			return true
		}
	}
	return false
}

func firstOf(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func TestTheRuleOfLayers(t *testing.T) {
	for line, want := range map[string]bool{
		"cmd/agent-memory modules/messages":   true,
		"modules/messages mlx/engine":         true,
		"modules/messages modules/messages/x": true,
		"modules/messages modules/health":     false,
		"mlx/engine modules/messages":         false,
		"mlx/engine mlx/kv":                   true,
		"platform/log mlx/engine":             false,
		"platform/log modules/health":         false,
	} {
		from, to, _ := strings.Cut(line, " ")
		if mayImport(module+from, module+to) != want {
			t.Errorf("%s: want %v", line, want)
		}
	}
}
