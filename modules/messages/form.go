package messages

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/lru"
)

// mostForms is how many compiled forms are remembered.
const mostForms = 32

// Form is what an answer is held to.
type Form struct {
	Schema []byte // a JSON schema
	Place  string // of the schema in the body
}

// forms compiles forms, in the goroutines of the requests, one at a time, and remembers them.
type forms struct {
	mu       sync.Mutex
	model    kv.Fingerprint
	words    *grammar.Vocabulary // of that model; nil: not listed yet
	compiled *lru.Map[[sha256.Size]byte, *grammar.Grammar]
}

func newForms() *forms {
	return &forms{compiled: lru.New[[sha256.Size]byte, *grammar.Grammar](mostForms)}
}

// compile returns the form of a request's answer, or nil if it has none.
func (f *forms) compile(req *Request, spec engine.Spec) (*grammar.Grammar, error) {
	if req.Form == nil {
		return nil, nil
	}
	if req.Prompt.Spelling == nil {
		return nil, Refuse(Invalid, "%s: the texts of this model's tokens are not known, so its answers can't be held to a form; leave it out", req.Form.Place)
	}
	if req.Conversation.Continue {
		return nil, Refuse(Invalid, "%s: an answer with a form can't go on with an assistant's turn; end the messages with a user's", req.Form.Place)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.words == nil || f.model != spec.Fingerprint {
		f.model, f.words = spec.Fingerprint, grammar.NewVocabulary(spec.Vocabulary, req.Prompt.Spelling.Text, spec.StopTokens)
		f.compiled = newForms().compiled
	}
	digest := sha256.Sum256(req.Form.Schema)
	if known, ok := f.compiled.Get(digest); ok {
		return known, nil
	}
	compiled, err := grammar.Compile(req.Form.Schema, f.words)
	var refusedErr *grammar.RefusedError
	if errors.As(err, &refusedErr) {
		place := req.Form.Place + strings.TrimPrefix(refusedErr.Place, "$")
		return nil, Refuse(Invalid, "%s: %s", httpapi.Clip(place), refusedErr.Reason)
	}
	if err == nil {
		f.compiled.Put(digest, compiled)
	}
	return compiled, err
}
