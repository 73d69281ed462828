package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readRunbook(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The reference of settings is the one that the code has.
func TestTheRunbookTellsTheSettings(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "RUNBOOK.md")
	before := readRunbook(t)
	stale := regexp.MustCompile("(?m)^\\| `SEMANTIC_SERVER_PORT`.*\n").ReplaceAllString(before, "")
	if err := os.WriteFile(copied, []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"config", "--reference", copied}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(copied)
	if err != nil || stale == before || string(after) != before {
		t.Errorf("RUNBOOK.md's reference is not up to date: make reference writes it; %v", err)
	}
}

func TestAReferenceNeedsItsPlace(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain.md")
	if err := os.WriteFile(plain, []byte("# Plain\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"config", "--reference", plain}, io.Discard, io.Discard)
	if text, _ := os.ReadFile(plain); err == nil || !strings.Contains(err.Error(), "markers") || string(text) != "# Plain\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// Each alert leads to a section of its own that tells what it means and what to do.
func TestEachAlertHasItsSection(t *testing.T) {
	rules, err := os.ReadFile("../../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?s)- alert: (\w+)\n.*?runbook_url: \S+/RUNBOOK\.md#(\w+)\n`).FindAllStringSubmatch(string(rules), -1)
	if len(alerts) != 6 {
		t.Fatalf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		name, anchor := alert[1], alert[2]
		_, section, isThere := strings.Cut(readRunbook(t), "\n### "+name+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !isThere || anchor != strings.ToLower(name) {
			t.Errorf("%s leads to #%s, which is not its section", name, anchor)
		}
		for _, part := range []string{"**Trigger.**", "**Impact.**", "**Diagnosis.**", "**Immediate action.**", "**Long-term action.**", "```sh\n"} {
			if !strings.Contains(section, part) {
				t.Errorf("the section of %s lacks %s", name, part)
			}
		}
	}
}

// Links lead somewhere: to a heading of the runbook, or to a file.
func TestTheRunbooksLinksLeadSomewhere(t *testing.T) {
	text := readRunbook(t)
	anchors := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchors["#"+regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-"), "")] = true
	}
	links := regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1)
	if len(links) < 20 {
		t.Errorf("only %d links were found", len(links))
	}
	for _, link := range links {
		if strings.HasPrefix(link[1], "#") {
			if !anchors[link[1]] {
				t.Errorf("there is no heading for %s", link[1])
			}
			continue
		}
		file, _, _ := strings.Cut(link[1], "#")
		if _, err := os.Stat("../../" + file); err != nil {
			t.Errorf("%s: %v", link[1], err)
		}
	}
}
