package main

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// cgoDirective is a line of a cgo preamble that sets flags; its match are the flags.
var cgoDirective = regexp.MustCompile(`(?m)^\s*(?://|\*)?\s*#cgo\s[^:\n]*FLAGS:(.*)$`)

// The C++ compiles with its warnings: no source tells cgo to compile with -w, which silences all of them.
func TestCgoCompilesWithWarnings(t *testing.T) {
	directives := 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." {
			return skipped(err)
		}
		if path.Ext(name) == ".go" {
			flags := cgoFlags(string(sourceOf(t, name)))
			directives += len(flags)
			if slices.ContainsFunc(flags, silencesWarnings) {
				t.Errorf("%s sets -w for cgo: let the compiler warn, and mend what it warns of", name)
			}
		}
		return nil
	})
	if err != nil || directives == 0 {
		t.Fatalf("%d directives of cgo, %v", directives, err)
	}
}

// cgoFlags returns the flags of each directive in a source.
func cgoFlags(source string) (flags []string) {
	for _, match := range cgoDirective.FindAllStringSubmatch(source, -1) {
		flags = append(flags, match[1])
	}
	return flags
}

func silencesWarnings(flags string) bool { return slices.Contains(strings.Fields(flags), "-w") }

func TestTheRuleOfCgoFlags(t *testing.T) {
	directive := "#" + "cgo"
	for source, want := range map[string]bool{
		"// " + directive + " CXXFLAGS: -O2 -w\nimport \"C\"":       true,
		"/*\n" + directive + " linux CFLAGS: -w -O2\n*/":            true,
		"// " + directive + " CXXFLAGS: -Wall -Wextra":              false,
		"// " + directive + " linux LDFLAGS: -Wl,-w -lmlx":          false,
		"// the flag -w would silence the warnings of " + directive: false,
	} {
		if got := slices.ContainsFunc(cgoFlags(source), silencesWarnings); got != want {
			t.Errorf("%q: %v", source, got)
		}
	}
}
