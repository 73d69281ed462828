package messages

import (
	"crypto/hmac"
	"encoding/base64"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/prompt"
)

// signature shows, when a thought comes back, that a model of this cluster had it for this tenant.
func (s *Service) signature(tenant, thought string) string {
	if s.cfg.Sign == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(s.cfg.Sign(tenant, thought))
}

// checkThoughts leaves out the thoughts whose signature is somebody else's: those of another service, or that were changed. The
// model would take them for its own. A thought without a signature, as OpenAI's clients send it, stays.
func (s *Service) checkThoughts(tenant string, turns []prompt.Turn) []prompt.Turn {
	for i, turn := range turns {
		kept := turn.Parts[:0:0]
		for _, part := range turn.Parts {
			if part.Kind != prompt.Thinking || part.Signature == "" || hmac.Equal([]byte(part.Signature), []byte(s.signature(tenant, part.Text))) {
				kept = append(kept, part)
			}
		}
		if len(kept) < len(turn.Parts) {
			turns[i].Parts = kept
		}
	}
	return slices.DeleteFunc(turns, func(turn prompt.Turn) bool { return len(turn.Parts) == 0 })
}
