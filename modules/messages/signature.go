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
	isForeign := func(part prompt.Part) bool {
		return part.Kind == prompt.Thinking && part.Signature != "" &&
			!hmac.Equal([]byte(part.Signature), []byte(s.signature(tenant, part.Text)))
	}
	for i := range turns {
		turns[i].Parts = slices.DeleteFunc(turns[i].Parts, isForeign)
	}
	return slices.DeleteFunc(turns, func(turn prompt.Turn) bool { return len(turn.Parts) == 0 })
}
