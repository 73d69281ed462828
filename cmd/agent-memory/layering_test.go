package main

import (
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/agent-memory/agent-memory/"

// allowed tells which layers a layer may import, besides itself and libraries.
func allowed() map[string][]string {
	return map[string][]string{
		"cmd":      {"modules", "mlx", "platform", "migrations", "openapi"},
		"modules":  {"mlx", "platform"},
		"mlx":      {"platform"},
		"platform": {},
		"openapi":  {},
	}
}

// rooms are the packages inside mlx and platform in the order of their height: each may import those on lines
// below its own. What is not listed imports nothing of its layer.
func rooms() [][]string {
	return [][]string{
		{"mlx/engine/enginetest", "mlx/model", "mlx/internal/testmodel", "mlx/prompt"},
		{"mlx/engine"},
		{"mlx/prefix"},
		{"mlx/kv/cache", "mlx/kv/disk", "mlx/kv/object", "mlx/kv/object/objecttest", "mlx/kv/tiertest"},
		{"mlx/kv/blockfile", "mlx/kv/pool", "mlx/kv/tier"},
		{"mlx/kv"},
		{"mlx/weights/weightstest"},
		{"mlx/array", "mlx/nn", "mlx/weights"},
		{"mlx/arch", "mlx/kernels", "mlx/tokenizer", "mlx/chat", "mlx/toolcall"},
		{"platform/httpapi"},
		{"platform/auth", "platform/hub", "platform/ratelimit"},
		{"platform/database", "platform/exact", "platform/freememory", "platform/lifecycle", "platform/log", "platform/lru",
			"platform/metrics", "platform/objectstore", "platform/settings", "platform/vfs"},
	}
}

func heightOf(room string) int {
	for i, line := range rooms() {
		if slices.Contains(line, room) {
			return i
		}
	}
	return len(rooms())
}

// mayImportBeside tells whether a package may import another of its layer: a module its own parts only, and
// in mlx and platform what lies below.
func mayImportBeside(layer, from, to string) bool {
	switch {
	case layer == "modules":
		return firstOf(strings.TrimPrefix(from, "modules/")) == firstOf(strings.TrimPrefix(to, "modules/"))
	case layer == "mlx" || layer == "platform":
		return heightOf(from) < heightOf(to)
	}
	return true
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
	fromLayer, toLayer := firstOf(from), firstOf(to)
	if fromLayer == toLayer {
		return mayImportBeside(fromLayer, from, to)
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
		"modules/explain modules/messages":    false,
		"mlx/prompt mlx/engine":               true,
		"mlx/engine mlx/prompt":               false,
		"mlx/engine modules/messages":         false,
		"mlx/engine mlx/kv":                   true,
		"mlx/engine mlx/prefix":               true,
		"mlx/prefix mlx/engine":               false,
		"mlx/kv mlx/kv/cache":                 false,
		"mlx/kv/disk mlx/kv/cache":            false,
		"mlx/chat mlx/tokenizer":              false,
		"platform/vfs platform/log":           false,
		"platform/httpapi platform/auth":      true,
		"platform/log mlx/engine":             false,
		"platform/log modules/health":         false,
	} {
		from, to, _ := strings.Cut(line, " ")
		if mayImport(module+from, module+to) != want {
			t.Errorf("%s: want %v", line, want)
		}
	}
}

// What platform offers could serve any program: it has no names of APIs, of models or of what they take.
func TestPlatformKnowsNothingOfLLMs(t *testing.T) {
	words := regexp.MustCompile(`(?i)anthropic|openai|claude|\bllm|\bagents?\b|\bprompts?\b|semantic_mlx|x-session`)
	platform, files := os.DirFS("../../platform"), 0
	err := fs.WalkDir(platform, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := fs.ReadFile(platform, path)
		files++
		for i, line := range strings.Split(string(source), "\n") {
			if word := words.FindString(strings.ReplaceAll(line, module, "")); word != "" {
				t.Errorf("platform/%s:%d has %q", path, i+1, word)
			}
		}
		return err
	})
	if err != nil || files < 20 {
		t.Fatalf("%d files, %v", files, err)
	}
}
