package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// otherMeanings are places where a family's name is the name of something else.
func otherMeanings() map[string][]string {
	return map[string][]string{
		"mlx/tokenizer/gguf.go":                 {"llama", "qwen2"},  // BPE by scores; a way to split words
		"modules/messages/messagestest/text.go": {"llama"},           // the same BPE
		"mlx/chat/families.go":                  {"mistral", "phi3"}, // templates, by the marks of turns
		"mlx/toolcall/toolcall.go":              {"mistral"},         // a syntax of calls, by the template's text
		"mlx/toolcall/form.go":                  {"mistral"},
		"mlx/toolcall/parser.go":                {"mistral"},
		"mlx/toolcall/match.go":                 {"mistral"},
		"mlx/prompt/calls.go":                   {"mistral"},
	}
}

// TestFamiliesAreNamedInThisPackageOnly walks the sources: tests and the makers of their models aside, no
// string and no identifier outside this package is a family's name.
func TestFamiliesAreNamedInThisPackageOnly(t *testing.T) {
	outside, inside, files := map[string][]string{}, map[string]bool{}, 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || skipped(path, d) {
			return skip(d, err)
		}
		names := namesIn(t, path)
		files++
		for _, name := range names {
			if strings.HasPrefix(path, "mlx/arch/") {
				inside[name] = true
			} else if !slices.Contains(otherMeanings()[path], name) {
				outside[path] = append(outside[path], name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, names := range outside {
		t.Errorf("%s names %v: ask the description instead", path, names)
	}
	if files < 100 {
		t.Errorf("only %d sources were read", files)
	}
	for _, f := range arch.Families() {
		if !inside[f.ModelType] {
			t.Errorf("the walk does not even find %s in its own file", f.ModelType)
		}
	}
}

// skipped are folders and files that are no source of the program.
func skipped(path string, d fs.DirEntry) bool {
	if d.IsDir() {
		hidden := strings.HasPrefix(d.Name(), ".") && path != "."
		return hidden || d.Name() == "oracle" || d.Name() == "weightstest" || d.Name() == "testing" || d.Name() == "e2e"
	}
	switch filepath.Ext(path) {
	case ".go":
		return strings.HasSuffix(path, "_test.go")
	case ".cpp", ".h", ".inl":
		return false
	}
	return true
}

func skip(d fs.DirEntry, err error) error {
	if err == nil && d.IsDir() {
		return fs.SkipDir
	}
	return err
}

// namesIn are the families' names that a source has as a string, as the beginning of a key, or as an
// identifier.
func namesIn(t *testing.T, path string) (found []string) {
	info, err := os.Stat("../../" + path)
	if err != nil || info.IsDir() {
		return nil
	}
	words := quotedWords
	if filepath.Ext(path) == ".go" {
		words = goWords
	}
	for _, word := range words(t, "../../"+path) {
		for _, f := range arch.Families() {
			if name := f.ModelType; strings.EqualFold(word, name) || strings.HasPrefix(word, name+".") {
				found = append(found, name)
			}
		}
	}
	return found
}

// goWords are the strings and identifiers of a Go file.
func goWords(t *testing.T, path string) (words []string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			words = append(words, n.Name)
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil {
				words = append(words, text)
			}
		}
		return true
	})
	return words
}

// quotedWords are the strings of a C++ file.
func quotedWords(t *testing.T, path string) (words []string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"([^"\n]*)"`).FindAllSubmatch(raw, -1) {
		words = append(words, string(m[1]))
	}
	return words
}
