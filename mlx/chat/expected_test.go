package chat

// Comparison with what jinja2 gives, as written by oracle/templates.py.

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/internal/testmodel"
)

type result struct {
	Text   *string `json:"text"`
	Raised *string `json:"raised"`
	Failed *string `json:"failed"`
}

// oracleTime is the time that the script's strftime_now tells.
var oracleTime = time.Date(2026, 3, 5, 14, 7, 9, 0, time.UTC)

// difference renders and says how the outcome differs from the expected one, or "".
func difference(tmpl *Template, vars json.RawMessage, want result) string {
	v, err := FromJSON(vars, nil)
	if err != nil {
		return err.Error()
	}
	got, err := tmpl.Render(v.(*Dict), oracleTime)
	var raised *RaisedError
	switch {
	case want.Failed != nil && (err == nil || errors.As(err, &raised)):
		return "jinja2 failed with " + *want.Failed + ", here: " + got
	case want.Failed != nil:
		return ""
	case want.Raised != nil && (!errors.As(err, &raised) || raised.Message != *want.Raised):
		return "raised in jinja2: " + *want.Raised + ", here: " + got + errorText(err)
	case want.Raised != nil:
		return ""
	case err != nil:
		return err.Error()
	case got != *want.Text:
		return firstDifference(got, *want.Text)
	}
	return ""
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func firstDifference(got, want string) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	near := func(s string) string { return s[max(0, i-30):min(len(s), i+80)] }
	data, _ := json.Marshal([]string{near(got), near(want)})
	return "got and want around the first difference: " + string(data)
}

func readLines(t testing.TB, path string, each func(line []byte)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatalf("open expected texts (oracle/run.sh writes them): %v", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<28)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "#") {
			each(lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func smollm2(t testing.TB) *Template {
	t.Helper()
	tmpl, err := Parse(testmodel.Metadata(t)["tokenizer.chat_template"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func TestSmolLM2PromptsAreThoseOfJinja2(t *testing.T) {
	tmpl := smollm2(t)
	count := 0
	readLines(t, "testdata/smollm2.jsonl", func(line []byte) {
		var c struct {
			Vars json.RawMessage `json:"vars"`
			result
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		count++
		if what := difference(tmpl, c.Vars, c.result); what != "" {
			t.Errorf("%s: %s", c.Vars, what)
		}
	})
	if count == 0 {
		t.Error("no expected texts")
	}
}

// The small templates of oracle/snippets.py print what they print with jinja2, and fail where they fail
// there.
func TestSnippetsPrintWhatJinja2Prints(t *testing.T) {
	count := 0
	var vars json.RawMessage
	readLines(t, "testdata/snippets.jsonl", func(line []byte) {
		var c struct {
			Vars    json.RawMessage `json:"vars"`
			Source  string          `json:"source"`
			Refused *string         `json:"refused"`
			result
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Vars != nil {
			vars = c.Vars
			return
		}
		count++
		tmpl, err := Parse(c.Source)
		if c.Refused != nil && err == nil {
			_, err = tmpl.Render(nil, oracleTime)
		}
		switch what := ""; {
		case c.Refused != nil && err == nil:
			t.Errorf("%s: jinja2 refuses it: %s", c.Source, *c.Refused)
		case c.Refused != nil:
		case err != nil && c.Failed == nil:
			t.Errorf("%s: %v", c.Source, err)
		case err == nil:
			if what = difference(tmpl, vars, c.result); what != "" {
				t.Errorf("%s: %s", c.Source, what)
			}
		}
	})
	if count < 100 {
		t.Errorf("only %d snippets", count)
	}
}
