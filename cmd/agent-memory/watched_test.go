package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// series are the labels of each metric that a server tells, by its name.
func (r *running) series(t *testing.T) map[string][]string {
	t.Helper()
	told := map[string][]string{}
	for line := range strings.Lines(body(t, r.get(t, "/metrics"))) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, labels, _ := strings.Cut(line[:strings.LastIndex(line, " ")], "{")
		told[name] = append(told[name], labels)
	}
	return told
}

// queries are what the dashboards' panels and the rules ask, by where it stands.
func queries(t *testing.T) map[string]string {
	t.Helper()
	asked := map[string]string{}
	dashboards, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(dashboards) != 4 {
		t.Fatalf("%v, %v", dashboards, err)
	}
	for _, path := range dashboards {
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		raw, err := os.ReadFile(path)
		if err := json.Unmarshal(raw, &board); err != nil {
			t.Fatal(err)
		}
		if err != nil || len(board.Panels) == 0 {
			t.Fatalf("%s has %d panels, %v", path, len(board.Panels), err)
		}
		for _, panel := range board.Panels {
			for i, target := range panel.Targets {
				asked[fmt.Sprint(filepath.Base(path), ": ", panel.Title, " ", i)] = target.Expr
			}
		}
	}
	rules, err := os.ReadFile("../../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for i, rule := range regexp.MustCompile(`(?s)expr: (.*?)\n +(?:for:|- |\n)`).FindAllStringSubmatch(string(rules), -1) {
		asked[fmt.Sprint("rules.yml ", i)] = rule[1]
	}
	runbook, err := os.ReadFile("../../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	asked["RUNBOOK.md"] = spelledOut(string(runbook))
	return asked
}

// spelledOut is a text with each choice in the pattern of a metric's name, as grep takes it, written as names.
func spelledOut(text string) string {
	choice := regexp.MustCompile(`\b(semantic_[a-z0-9_]*)\(([a-z0-9_|]+)\)([a-z0-9_]*(?:\([a-z0-9_|]+\))?)`)
	for choice.MatchString(text) {
		text = choice.ReplaceAllStringFunc(text, func(pattern string) string {
			part := choice.FindStringSubmatch(pattern)
			var names []string
			for word := range strings.SplitSeq(part[2], "|") {
				names = append(names, part[1]+word+part[3])
			}
			return strings.Join(names, " ")
		})
	}
	return text
}

// foreignLabels are those that Prometheus adds.
func foreignLabels() []string { return []string{"job", "instance"} }

// Every metric that a panel, a rule or the runbook names is told by a running server, with the labels that they
// go by.
func TestWhatIsWatchedIsTold(t *testing.T) {
	r := talkative(t, func(c *config.Config) {
		// A bucket that does not answer has metrics of the network's faults too.
		c.S3 = config.S3{Endpoint: "http://127.0.0.1:1", Bucket: "blocks", AccessKey: "key", SecretKey: "secret"}
	})
	r.say(t, "a", strings.Repeat(mostlyTalk, 40), "hello")
	var told map[string][]string
	eventually(t, "stores and failures of tiers", func() bool {
		told = r.series(t)
		return len(told["semantic_tier_last_store_timestamp_seconds"]) > 0 && len(told["semantic_tier_failures_total"]) > 0 &&
			len(told["semantic_tier_calls_total"]) > 0 && len(told["semantic_store_dropped_total"]) > 0
	})
	names := 0
	for where, query := range queries(t) {
		names += checkNames(t, where, query, told)
	}
	if names < 120 {
		t.Errorf("only %d names of metrics were found", names)
	}
}

// checkNames holds the metrics of a text to those that are told, and returns how many it names.
func checkNames(t *testing.T, where, text string, told map[string][]string) int {
	t.Helper()
	found := regexp.MustCompile(`\b((?:semantic|process|go)_[a-z0-9_]+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(text, -1)
	var known []string
	for _, name := range found {
		labels, is := told[name[1]]
		if !is {
			labels, is = told[name[1]+"_bucket"]
		}
		if !is {
			t.Errorf("%s: nobody tells %s", where, name[1])
			continue
		}
		known = append(known, labelNames(labels[0])...)
		for _, label := range labelNames(name[2]) {
			if !slices.Contains(foreignLabels(), label) && !slices.Contains(labelNames(labels[0]), label) {
				t.Errorf("%s: %s has no label %s", where, name[1], label)
			}
		}
	}
	for _, group := range regexp.MustCompile(`\bby \(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		for label := range strings.SplitSeq(group[1], ", ") {
			if !slices.Contains(foreignLabels(), label) && !slices.Contains(known, label) {
				t.Errorf("%s: nothing there has the label %s", where, label)
			}
		}
	}
	return len(found)
}

// labelNames are the names in a list of labels or of conditions on them.
func labelNames(labels string) (names []string) {
	for _, label := range regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`).FindAllStringSubmatch(labels, -1) {
		names = append(names, label[1])
	}
	return names
}

// Whatever clients send, a server tells a bounded number of series: those of 50 tenants and the others, and one
// of each other kind.
func TestWhatClientsSendMakesNoSeries(t *testing.T) {
	r := talkative(t, operated)
	meet := func(i int) {
		key := r.makeKey(t, fmt.Sprintf(`{"tenant":"tenant %d"}`, i)).Secret
		r.cached(t, key, fmt.Sprint("agent ", i), "hello")
		for _, asked := range [][2]string{
			{"GET", fmt.Sprint("/v1/agents/agent", i)}, {"GET", fmt.Sprint("/v1/unknown/", i)}, {"GET", fmt.Sprint("/unknown-", i)},
			{"POST", fmt.Sprint("/v1/messages?beta=", i)}, {fmt.Sprint("METHOD", i), "/v1/messages"}, {"GET", fmt.Sprint("/v1/models/model-", i)},
		} {
			r.call(t, asked[0], asked[1], key, fmt.Sprintf(`{"model":"model %d","max_tokens":1,"messages":[{"role":"user","content":"hello"}]}`, i))
		}
		r.call(t, "GET", fmt.Sprint("/admin/agents/default/agent", i), "operator", "")
	}
	const warm = namedTenants + 1
	for i := range warm {
		meet(i)
	}
	r.counted(t) // what asks for the metrics is counted too
	before := r.counted(t)
	for i := range 30 {
		meet(warm + i)
	}
	if after := r.counted(t); !maps.Equal(before, after) {
		for name, n := range after {
			if n != before[name] {
				t.Errorf("%s had %d series and has %d", name, before[name], n)
			}
		}
	}
	if n := before["semantic_tenant_tokens_total"]; n != 3*(namedTenants+1) {
		t.Errorf("%d series of tenants' tokens", n)
	}
}

// counted is how many series each of the server's own metrics has.
func (r *running) counted(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	for name, labels := range r.series(t) {
		if strings.HasPrefix(name, "semantic_") {
			n[name] = len(labels)
		}
	}
	return n
}
