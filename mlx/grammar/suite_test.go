//go:build oracle

package grammar_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// suiteGroup is a schema of JSON Schema's own test suite (draft 2020-12), with documents of which it says whether they are valid.
type suiteGroup struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

func suite(t *testing.T) (groups []suiteGroup) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("AGENT_MEMORY_ORACLE"), "json-schema-suite", "draft2020-12", "*.json"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files of the suite, %v; make oracle fetches them", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var more []suiteGroup
		if err := json.Unmarshal(raw, &more); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for i := range more {
			more[i].Description = strings.TrimSuffix(filepath.Base(file), ".json") + ": " + more[i].Description
		}
		groups = append(groups, more...)
	}
	return groups
}

var (
	floats   = regexp.MustCompile(`(-?\d+)\.0\b`)
	integers = regexp.MustCompile(`(-?\b\d+)([,\]}]|$)`)
)

// isLooser tells whether the suite takes what is not taken here on purpose: formats are held to here and only noted there, and
// other dialects, which may leave keywords without meaning, are not followed.
func (g suiteGroup) isLooser() bool {
	return strings.HasPrefix(g.Description, "format:") || strings.HasPrefix(g.Description, "vocabulary:")
}

// orders are the ways to write a document that differ in the order of the outermost object's fields, if these are few: an answer
// has them in the schema's order.
func orders(t *testing.T, document json.RawMessage) (all []string) {
	t.Helper()
	var fields map[string]json.RawMessage
	compact, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(document, &fields) != nil || len(fields) > 5 || len(fields) < 2 {
		text := string(compact) // a number is written as the schema has it: 1 is 1.0
		return []string{text, floats.ReplaceAllString(text, "$1"), integers.ReplaceAllString(text, "$1.0$2")}
	}
	var arrange func(done []string, left []string)
	arrange = func(done, left []string) {
		if len(left) == 0 {
			all = append(all, "{"+strings.Join(done, ",")+"}")
		}
		for i, name := range left {
			key, _ := json.Marshal(name)
			value, _ := json.Marshal(fields[name])
			arrange(append(slices.Clone(done), string(key)+":"+string(value)), slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	arrange(nil, slices.Sorted(maps.Keys(fields)))
	return all
}

// Of what the suite asks for, each schema is held to or refused by the place of what it is refused for. Where it is held to, what
// the suite calls invalid can't be written, what it calls valid can, and whatever way through the masks comes to an end is valid.
func TestTheSuitesSchemasAreHeldToOrRefused(t *testing.T) {
	words, texts := vocabulary()
	random := rand.New(rand.NewPCG(5, 6))
	held, documents, walks := 0, 0, 0
	refused := map[string]int{}
	for _, group := range suite(t) {
		g, err := grammar.Compile(group.Schema, words)
		var refusedErr *grammar.RefusedError
		if errors.As(err, &refusedErr) {
			refused[refusedErr.Reason]++
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", group.Description, err)
		}
		held++
		for _, test := range group.Tests {
			documents++
			isTaken := slices.ContainsFunc(orders(t, test.Data), func(document string) bool { return takes(t, g, document) })
			if isTaken && !test.Valid || !isTaken && test.Valid && !group.isLooser() {
				t.Errorf("%s, %s: %s can be written: %v", group.Description, test.Description, test.Data, isTaken)
			}
		}
		valid, err := compiledSuite(group.Schema)
		if err != nil {
			t.Logf("%s: the validator does not read it: %v", group.Description, err)
			continue
		}
		for range 90 {
			walks++
			written := wander(t, g.Walk(), texts, random)
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(written))
			if err == nil {
				err = valid.Validate(value)
			}
			if err != nil {
				t.Fatalf("%s: %q: %v", group.Description, written, err)
			}
		}
	}
	t.Logf("%d schemas held to, with %d documents and %d walks; refused:", held, documents, walks)
	for _, reason := range slices.Sorted(maps.Keys(refused)) {
		t.Logf("%4d %s", refused[reason], reason)
	}
	if held < 100 || walks < 10_000 {
		t.Errorf("%d schemas were held to, %d walks", held, walks)
	}
}

func compiledSuite(schema json.RawMessage) (*jsonschema.Schema, error) {
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", parsed); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}
