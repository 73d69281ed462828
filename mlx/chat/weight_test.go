package chat

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// A template that would make a value or a text without end is refused while it is rendered, and takes little
// memory until then.
func TestBombsOfTemplatesEndSoon(t *testing.T) {
	const double = "{% for i in range(60) %}{% set n.l = "
	for name, source := range map[string]string{
		"a list that doubles":           "{% set n = namespace(l=[1]) %}" + double + "n.l + n.l %}{% endfor %}{{ n.l | length }}",
		"a text that doubles":           "{% set n = namespace(l='ab') %}" + double + "n.l + n.l %}{% endfor %}{{ n.l | length }}",
		"a text that doubles by ~":      "{% set n = namespace(l='ab') %}" + double + "n.l ~ n.l %}{% endfor %}{{ n.l | length }}",
		"lists in lists, printed":       "{% set n = namespace(l=[1]) %}" + double + "[n.l, n.l] %}{% endfor %}{{ n.l }}",
		"lists in lists, as JSON":       "{% set n = namespace(l=[1]) %}" + double + "[n.l, n.l] %}{% endfor %}{{ n.l | tojson }}",
		"lists in lists, as text":       "{% set n = namespace(l=[1]) %}" + double + "[n.l, n.l] %}{% endfor %}{{ n.l ~ '' }}",
		"lists in lists, compared":      "{% set n = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}",
		"lists in lists, joined":        "{% set n = namespace(l=['a']) %}" + double + "[n.l, n.l] %}{% endfor %}{{ n.l | join }}",
		"lists in lists, by map":        "{% set n = namespace(l=['a']) %}" + double + "[n.l, n.l] %}{% endfor %}{{ [n.l] | map('string') | list }}",
		"lists in lists, formatted":     "{% set n = namespace(l=['a']) %}" + double + "[n.l, n.l] %}{% endfor %}{{ '{}'.format(n.l) }}",
		"dicts in dicts, as JSON":       "{% set n = namespace(l={}) %}" + double + "{'a': n.l, 'b': n.l} %}{% endfor %}{{ n.l | tojson }}",
		"deep lists":                    "{% set n = namespace(l=[1]) %}{% for i in range(90000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}",
		"a join of gigabytes":           "{{ range(100000) | join('x' * 1000000) }}",
		"a join of one text":            "{{ (['x' * 1000000] * 100000) | join }}",
		"an indent of gigabytes":        "{{ ('a\\n' * 10000000) | indent(1000) }}",
		"an indent by a text":           "{{ ('a\\n' * 1000000) | indent('x' * 1000000) }}",
		"JSON indented by a text":       "{{ range(100000) | list | tojson(indent='x' * 1000000) }}",
		"a replace of gigabytes":        "{{ ('a' * 10000000) | replace('a', 'b' * 1000) }}",
		"forty replaces":                "{% set n = namespace(l='a') %}{% for i in range(40) %}{% set n.l = n.l | replace('a', 'aa') %}{% endfor %}{{ n.l }}",
		"many texts that are kept":      "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = n.l + ['x' * 1000000 ~ i] %}{% endfor %}",
		"much text that is thrown away": "{% for i in range(100000) %}{% set x = 'x' * 10000000 %}{% endfor %}",
	} {
		t.Run(name, func(t *testing.T) {
			tmpl, err := Parse(source)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			text, err := tmpl.Render(NewDict(), time.Now())
			runtime.ReadMemStats(&after)
			if err == nil || strings.Contains(err.Error(), "not supported") || strings.Contains(err.Error(), "undefined") {
				t.Errorf("rendered %d bytes: %v", len(text), err)
			}
			if made := after.TotalAlloc - before.TotalAlloc; made > 4<<30 {
				t.Errorf("%d MB were made", made>>20)
			}
		})
	}
}

// Large conversations are far from the bounds.
func TestALongConversationIsRendered(t *testing.T) {
	tmpl, err := Parse("{% for m in messages %}{{ '<' + m.role + '>' + (m.content | trim | replace('\\r', '')) + '\\n' }}{% if messages | length > 3 and tools %}{{ tools | tojson }}{% endif %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	var messages []Message
	for range 5000 {
		messages = append(messages, Message{Role: "user", Content: strings.Repeat("word ", 800)})
	}
	text, err := tmpl.Prompt(Prompt{Messages: messages, Tools: []Tool{{Name: "t", Description: strings.Repeat("d", 1000), Parameters: []byte(`{"type":"object"}`)}}})
	if err != nil || len(text) < 5000*4900 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
