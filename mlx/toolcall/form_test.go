package toolcall_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
)

// ending is the token that ends an answer, in a vocabulary of the bytes and some longer tokens, marks among them.
const ending = 256

func tokens(syntax toolcall.Syntax) []string {
	var texts []string
	for b := range 256 {
		texts = append(texts, string([]byte{byte(b)}))
	}
	texts = append(texts, "", `{"name": "`, `": `, `"}`, "}\n", `, "a`, "<tool", "_call>", "é\n", "[TOOL", "_CALLS]", "<function", "```json\n")
	return append(texts, syntax.Marks()...)
}

// wander takes a random way through a form, which it leaves as soon as it may and its patience is over.
func wander(t *testing.T, g *grammar.Grammar, texts []string, random *rand.Rand) string {
	t.Helper()
	var written strings.Builder
	walk := g.Walk()
	for steps, patience := 0, random.IntN(40); ; steps++ {
		if steps > 5000 {
			t.Fatalf("does not end: %.300q", written.String())
		}
		mask, err := walk.Allowed()
		if err != nil {
			t.Fatalf("behind %q: %v", written.String(), err)
		}
		var allowed []int32
		for token := range int32(len(texts)) {
			if mask[token/64]&(1<<(token%64)) != 0 {
				allowed = append(allowed, token)
			}
		}
		next := allowed[random.IntN(len(allowed))]
		if longer := slices.IndexFunc(allowed, func(token int32) bool { return token > ending }); longer >= 0 && random.IntN(2) == 0 {
			next = allowed[longer+random.IntN(len(allowed)-longer)] // marks and beginnings of calls are among them
		}
		if steps > patience {
			next = soonest(allowed)
		}
		if next == ending {
			return written.String()
		}
		written.WriteString(texts[next])
		if err := walk.Advance(next); err != nil {
			t.Fatal(err)
		}
	}
}

// soonest is an allowed token that brings things to an end.
func soonest(allowed []int32) int32 {
	for _, want := range []int32{ending, '"', '}', ']'} {
		for _, token := range allowed {
			if token == want {
				return token
			}
		}
	}
	return allowed[0]
}

func callables() []toolcall.Callable {
	schema := []byte(`{"type":"object","properties":{"a":{"type":"string","maxLength":20},"n":{"type":"integer","minimum":0}},"required":["a"],"additionalProperties":false}`)
	return []toolcall.Callable{
		{Name: "read", Arguments: grammar.Value(schema, "here")}, {Name: "read_all", Arguments: grammar.Object([]byte(`{"properties":{"x":{"type":"boolean"}}}`))},
	}
}

// Whatever way a model takes through the form of calls, with marks that are tokens or without, a parser finds calls and
// nothing else, as many as may be.
func TestWhatAFormOfCallsLeadsToIsCalls(t *testing.T) {
	for _, syntax := range []toolcall.Syntax{toolcall.Plain, toolcall.Hermes, toolcall.LlamaJSON, toolcall.Mistral} {
		for _, marks := range [][]string{nil, syntax.Marks()} {
			texts := tokens(syntax)
			words := grammar.NewVocabulary(len(texts), func(token int32) (string, bool) { return texts[token], true }, []int32{ending}, marks...)
			form, ok := syntax.Form(callables(), 3)
			if !ok {
				t.Fatal(syntax)
			}
			g, err := grammar.CompileForm(form, words)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(100) {
				text := wander(t, g, texts, rand.New(rand.NewPCG(seed, 1)))
				pieces := taken(syntax, text)
				if len(pieces) == 0 || len(pieces) > 3 {
					t.Errorf("%d: %q is %d pieces", syntax, text, len(pieces))
				}
				for _, piece := range pieces {
					checkCall(t, text, piece)
				}
			}
		}
	}
}

// Text in which calls are held to a form has no call that is not, whatever the text is.
func TestTextAroundCallsStaysText(t *testing.T) {
	for _, syntax := range []toolcall.Syntax{toolcall.Plain, toolcall.Hermes, toolcall.LlamaJSON, toolcall.Mistral} {
		for _, marks := range [][]string{nil, syntax.Marks()} {
			texts := tokens(syntax)
			words := grammar.NewVocabulary(len(texts), func(token int32) (string, bool) { return texts[token], true }, []int32{ending}, marks...)
			form, _ := syntax.FormOrText(callables(), 2)
			g, err := grammar.CompileForm(form, words)
			if err != nil {
				t.Fatal(err)
			}
			calls := 0
			for seed := range uint64(300) {
				text := wander(t, g, texts, rand.New(rand.NewPCG(seed, 2)))
				for _, piece := range taken(syntax, text) {
					if piece.Call != nil {
						checkCall(t, text, piece)
						calls++
					}
				}
			}
			if calls == 0 {
				t.Errorf("%d: no walk came to a call", syntax)
			}
		}
	}
}

// Syntaxes whose arguments are not JSON have no form.
func TestCallsThatAreNotJSONHaveNoForm(t *testing.T) {
	for _, syntax := range []toolcall.Syntax{toolcall.Gemma, toolcall.FunctionGemma} {
		if _, ok := syntax.Form(callables(), 1); ok {
			t.Error(syntax)
		}
	}
}

func taken(syntax toolcall.Syntax, text string) []toolcall.Piece {
	p := toolcall.NewParser(syntax, []string{"read", "read_all"})
	return append(p.Push(text), p.End()...)
}

func checkCall(t *testing.T, text string, piece toolcall.Piece) {
	t.Helper()
	if piece.Call == nil {
		t.Errorf("%q holds the text %q", text, piece.Text)
		return
	}
	var arguments map[string]any
	err := json.Unmarshal(piece.Call.Arguments, &arguments)
	ok := err == nil
	switch piece.Call.Name {
	case "read":
		a, isText := arguments["a"].(string)
		ok = ok && isText && len([]rune(a)) <= 20 && len(arguments) <= 2
	case "read_all":
		x, given := arguments["x"]
		_, isBool := x.(bool)
		ok = ok && (!given || isBool)
	default:
		ok = false
	}
	if !ok {
		t.Errorf("%q holds %s(%s): %v", text, piece.Call.Name, piece.Call.Arguments, err)
	}
}
