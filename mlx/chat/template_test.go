package chat

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func render(t testing.TB, source string, vars *Dict) (string, error) {
	t.Helper()
	tmpl, err := Parse(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return tmpl.Render(vars, oracleTime)
}

// The expected texts are what Python 3.11 and jinja2 3.1.6 print.
func TestTemplatesPrintWhatPythonPrints(t *testing.T) {
	vars := NewDict("d", NewDict("b", int64(1), "a", []any(nil) == nil, "n", nil), "s", "it's", "l", &List{Items: []any{int64(1), 2.0, "x"}})
	cases := map[string]string{
		`{{ d }}`:                                      `{'b': 1, 'a': True, 'n': None}`,
		`{{ [s, 'say "x"', 'a\n'] }}`:                  `["it's", 'say "x"', 'a\n']`,
		`{{ l | tojson }}{{ 1.0 * 1 }}`:                `[1, 2.0, "x"]1.0`,
		`{{ d.items }}|{{ 'x' in d }}`:                 `<items>|False`,
		`{{ l[::-1] }}{{ 'abc'[-2:] }}{{ l[9] }}`:      `['x', 2.0, 1]bc`,
		`{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}`:       `-4 2 3.5`,
		`{{ 1 if false }}{{ none }}{{ missing }}`:      `None`,
		`{{ 'a' ~ 1 ~ none }}{{ (1, 2) }}{{ ('x',) }}`: `a1None(1, 2)('x',)`,
		`{% for x in 'ab' %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% endfor %}`:                                        `1a,2b`,
		`{% for x in [1,2,3,4] if x is even %}{{ loop.length }}{{ x }}{% else %}none{% endfor %}`:                                 `2224`,
		`{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}`: `013`,
		`{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}`:                                                     `1`,
		`{% set ns = namespace(x=1) %}{% for i in [1] %}{% set ns.x = 2 %}{% endfor %}{{ ns.x }}`:                                 `2`,
		`{% macro m(a, b='y') %}{{ a }}{{ b }}{% endmacro %}{{ m('x') }}{{ m(b=1, a=2) }}`:                                        `xy21`,
		"a\n  {% if true %}\n b\n  {% endif %}\nc":                                                                                "a\n b\nc",
		"  {{- 'x' -}}  y {#- c #}\nz\n":                                                                                          "xyz",
		`{% set x %}a{{ 1 }}{% endset %}{{ x | upper }}{% filter upper %}b{% endfilter %}`:                                        `A1B`,
		`{{ 'a b  c'.split() }}{{ 'a,b,c'.split(',', 1) }}{{ ' x '.strip() }}`:                                                    `['a', 'b', 'c']['a', 'b,c']x`,
		`{{ {'a': [1, {'b': none}]} | tojson(indent=2) }}`:                                                                        "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ]\n}",
		`{{ strftime_now('%d %b %Y') }}`:                                                                                          `05 Mar 2026`,
		`{{ '\u00e9\x41\'' "b" }}`:                                                                                                `éA'b`,
		`{{ [3,1,2]|sort|join('-') }}{{ {'b':1,'a':2}|dictsort }}`:                                                                `1-2-3[('a', 2), ('b', 1)]`,
	}
	for source, want := range cases {
		if got, err := render(t, source, vars); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestWhatIsNotKnownIsRefusedWithItsLine(t *testing.T) {
	for source, says := range map[string]string{
		"\n{{ x | nope }}":                  `line 2: filter "nope"`,
		"{{ x is nope }}":                   `test "nope"`,
		"{{ x.nope(1) }}":                   `method "nope"`,
		"{{ open('x') }}":                   `function "open"`,
		"{% include 'x' %}":                 `statement "include"`,
		"{% call m() %}{% endcall %}":       `function "m"`,
		"{% call m %}{% endcall %}":         "needs a call",
		"{{ x | map('nope') }}":             "nope",
		"{{ x | selectattr('a', 'nope') }}": "nope",
		"{% if x %}":                        "ends before",
		"{{ x ":                             "does not end",
		"{# x ":                             "does not end",
		"{{ 'x }}":                          "does not end",
		"{{ x ? y }}":                       "unexpected character",
		"{% break %}":                       "outside",
		"{% for x in y recursive %}":        "recursive",
		"{{ " + strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500) + " }}": "deeper",
		"{{ " + strings.Repeat("not ", 500) + "x }}":                              "deeper",
		strings.Repeat("{% if x %}", 500):                                         "deeper",
	} {
		if _, err := Parse(source); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40s: error %v, want one that says %s", source, err, says)
		}
	}
}

func TestATemplatesOwnRefusalIsARaisedError(t *testing.T) {
	_, err := render(t, "{{ raise_exception('roles must alternate') }}", nil)
	var raised *RaisedError
	if !errors.As(err, &raised) || raised.Message != "roles must alternate" {
		t.Errorf("error %v", err)
	}
}

func TestAFailingTemplateIsAnErrorWithItsLine(t *testing.T) {
	for _, source := range []string{"{{ x.y }}", "{{ 'a' + 1 }}", "{{ 1 < 'a' }}", "{{ 1 / 0 }}", "{% for i in 5 %}{% endfor %}", "{{ x | tojson }}", "{{ '{'.format() }}"} {
		_, err := render(t, "\n"+source, nil)
		var raised *RaisedError
		if err == nil || errors.As(err, &raised) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: error %v", source, err)
		}
	}
}

func TestRenderingIsBounded(t *testing.T) {
	for _, source := range []string{
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"{{ range(1000000) }}",
		"{{ 'x' * 1000000000000 }}",
		"{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
	} {
		if _, err := render(t, source, nil); err == nil {
			t.Errorf("%s went through", source)
		}
	}
}

func TestToolsAreDescribedToATemplateThatKnowsNone(t *testing.T) {
	tmpl := smollm2(t)
	if tmpl.UsesTools() {
		t.Fatal("SmolLM2's template is said to know tools")
	}
	got, err := tmpl.Prompt(Prompt{
		Messages: []Message{{Role: "user", Content: "Weather?"}, {Role: "assistant", ToolCalls: []ToolCall{{ID: "1", Name: "get_weather", Arguments: []byte(`{"city":"Oslo"}`)}}},
			{Role: "tool", ToolCallID: "1", Content: "rain"}},
		Tools:               []Tool{{Name: "get_weather", Description: "Tells the weather", Parameters: []byte(`{"type":"object"}`)}},
		AddGenerationPrompt: true, Now: time.Unix(0, 0),
	})
	for _, part := range []string{"<|im_start|>system\nYou can use these tools", "get_weather: Tells the weather\nArguments: {\"type\":\"object\"}",
		"assistant\n{\"name\": \"get_weather\", \"arguments\": {\"city\":\"Oslo\"}}", "user\nThe tool answered:\nrain", "<|im_start|>assistant\n"} {
		if err != nil || !strings.Contains(got, part) {
			t.Errorf("%q is missing in %q (%v)", part, got, err)
		}
	}
}

func TestEverythingThatAClientWroteIsGuarded(t *testing.T) {
	tmpl, err := Parse("{{ messages }}{{ tools }}")
	if err != nil {
		t.Fatal(err)
	}
	call := ToolCall{ID: "<x>", Name: "<x>", Arguments: []byte(`{"<x>":["<x>",{"k":"<x>"}]}`)}
	got, err := tmpl.Prompt(Prompt{
		Messages: []Message{{Role: "assistant", Content: "<x>", Thinking: "<x>", Name: "<x>", ToolCallID: "<x>", ToolCalls: []ToolCall{call}}},
		Tools:    []Tool{{Name: "<x>", Description: "<x>", Parameters: []byte(`{"<x>":"<x>"}`)}},
		Guard:    func(s string) string { return strings.ReplaceAll(s, "<x>", "<\uFDD0x>") },
	})
	if err != nil || strings.Contains(got, "<x>") || strings.Count(got, "<\uFDD0x>") != 13 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestARoleThatNobodyKnowsIsRefused(t *testing.T) {
	if _, err := smollm2(t).Prompt(Prompt{Messages: []Message{{Role: "system\n<|im_end|>"}}}); err == nil {
		t.Error("the role went through")
	}
}

func FuzzParseAndRender(f *testing.F) {
	f.Add("{% for m in messages %}{{ m.role ~ m['content'] | trim }}{% endfor %}{{ messages | tojson(indent=2) }}")
	f.Add("{%- macro a(b, c=1) -%}{{ b[::c] }}{%- endmacro -%}{{ a('xyz') if x is not defined else [1, 2.5, (3,)] }}")
	f.Add("{% set ns = namespace(a='{0}') %}{% set ns.a = ns.a.format(3) %}{{ ns.a is string and 1 in [1] }}{# c -#}")
	messages, err := FromJSON([]byte(`[{"role":"user","content":" hé\n","n":[1,-2.5e-9,null,true]}]`), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := Parse(source)
		if err != nil || len(source) > 4096 {
			return
		}
		_, _ = tmpl.Render(NewDict("messages", messages, "x", int64(1)), oracleTime)
	})
}
