package messages

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/lru"
)

// Bounds of forms.
const (
	mostForms = 32 // compiled ones are remembered
	mostCalls = 16 // in an answer that is held to calls
)

// Form is what an answer is held to.
type Form struct {
	Schema []byte // a JSON schema
	Place  string // of the schema in the body
}

// forms compiles forms, in the goroutines of the requests, one at a time, and remembers them.
type forms struct {
	mu       sync.Mutex
	model    kv.Fingerprint
	words    map[bool]*grammar.Vocabulary // of that model, without and with the marks of calls, as far as listed
	compiled *lru.Map[[sha256.Size]byte, *grammar.Grammar]
}

func newForms() *forms {
	return &forms{words: map[bool]*grammar.Vocabulary{}, compiled: lru.New[[sha256.Size]byte, *grammar.Grammar](mostForms)}
}

// compile returns the form of a request's answer, or nil if it has none.
func (f *forms) compile(req *Request, spec engine.Spec) (*grammar.Grammar, error) {
	place := heldAt(req)
	if place == "" {
		return nil, nil
	}
	if req.Prompt.Spelling == nil {
		return nil, Refuse(Invalid, "%s: the texts of this model's tokens are not known, so its answers can't be held to a form; leave it out", place)
	}
	if req.Conversation.Continue {
		return nil, Refuse(Invalid, "%s: an answer with a form can't go on with an assistant's turn; end the messages with a user's", place)
	}
	form, err := formOf(req)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	words := f.vocabulary(req, spec)
	digest := formDigest(req)
	if known, ok := f.compiled.Get(digest); ok {
		return known, nil
	}
	compiled, err := grammar.CompileForm(form, words)
	var refusedErr *grammar.RefusedError
	if errors.As(err, &refusedErr) {
		if refusedErr.Place == "$" {
			refusedErr.Place = place
		}
		return nil, Refuse(Invalid, "%s: %s", httpapi.Clip(refusedErr.Place), refusedErr.Reason)
	}
	if err == nil {
		f.compiled.Put(digest, compiled)
	}
	return compiled, err
}

// vocabulary lists the loaded model's tokens once.
func (f *forms) vocabulary(req *Request, spec engine.Spec) *grammar.Vocabulary {
	if f.model != spec.Fingerprint {
		fresh := newForms()
		f.model, f.words, f.compiled = spec.Fingerprint, fresh.words, fresh.compiled
	}
	var marks []string
	withCalls := len(req.Conversation.Tools) > 0
	if withCalls {
		marks = req.Prompt.Calls.Marks()
	}
	if f.words[withCalls] == nil {
		f.words[withCalls] = grammar.NewVocabulary(spec.Vocabulary, req.Prompt.Spelling.Text, spec.StopTokens, marks...)
	}
	return f.words[withCalls]
}

// formDigest names all that a request's form depends on.
func formDigest(req *Request) [sha256.Size]byte {
	type tool struct {
		Name   string
		Schema json.RawMessage
		Strict bool
	}
	what := struct {
		Form   *Form
		Choice Choice
		Calls  toolcall.Syntax
		Single bool
		Tools  []tool
	}{req.Form, req.Choice, req.Prompt.Calls, req.SingleCall, nil}
	for _, t := range req.Conversation.Tools {
		what.Tools = append(what.Tools, tool{t.Name, t.InputSchema, t.Strict})
	}
	encoded, _ := json.Marshal(what) // schemas are valid JSON by now
	return sha256.Sum256(encoded)
}

// heldAt is the place of what holds the answer to a form, or "" if nothing does.
func heldAt(req *Request) string {
	strict := slices.IndexFunc(req.Conversation.Tools, func(t prompt.Tool) bool { return t.Strict })
	switch {
	case req.Form != nil:
		return req.Form.Place
	case req.Choice.Required:
		return req.Choice.Place
	case strict >= 0:
		return At("tools", strict)
	}
	return ""
}

// formOf is the form of an answer that is held to one: calls, a value or a call, or text in which calls are right.
func formOf(req *Request) (grammar.Form, error) {
	var value grammar.Form
	if req.Form != nil {
		value = grammar.Value(req.Form.Schema, req.Form.Place)
	}
	if len(req.Conversation.Tools) == 0 {
		return value, nil
	}
	tools, most := callables(req), mostCalls
	if req.SingleCall || len(req.Choice.Only) == 1 { // a tool that is named is called once
		most = 1
	}
	write := req.Prompt.Calls.FormOrText
	if req.Choice.Required || req.Form != nil {
		write = req.Prompt.Calls.Form
	}
	calls, ok := write(tools, most)
	switch {
	case !ok:
		return calls, Refuse(Invalid, "%s: this model does not write its calls as JSON, and can't be held to them; leave it out, or send tool_choice \"auto\" or \"none\"", heldAt(req))
	case req.Form != nil && !req.Choice.Required:
		return grammar.OneOf(value, calls), nil
	}
	return calls, nil
}

// callables are the tools that the answer may call, with the form of their arguments.
func callables(req *Request) (tools []toolcall.Callable) {
	for i, tool := range req.Conversation.Tools {
		if req.Choice.Only != nil && !slices.Contains(req.Choice.Only, tool.Name) {
			continue
		}
		arguments := grammar.Object(tool.InputSchema)
		if tool.Strict {
			arguments = grammar.Value(tool.InputSchema, At("tools", i)+req.Choice.Schema)
		}
		tools = append(tools, toolcall.Callable{Name: tool.Name, Arguments: arguments})
	}
	return tools
}
