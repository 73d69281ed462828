package e2e

import (
	"fmt"
	"testing"
)

// said is a turn of a conversation as it is sent.
type said struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// reply is what a turn needs of an answer.
type reply struct {
	Content []struct {
		Text string `json:"text"`
	} `json:"content"`
	Usage struct {
		Input   int `json:"input_tokens"`
		Created int `json:"cache_creation_input_tokens"`
		Read    int `json:"cache_read_input_tokens"`
		Output  int `json:"output_tokens"`
	} `json:"usage"`
}

// talk sends a conversation and returns an answer that is sampled, but the same in every run.
func talk(t *testing.T, s *server, turns []said) (answer reply) {
	t.Helper()
	return s.talkAs(t, "", turns)
}

// talkAs is talk as an agent.
func (s *server) talkAs(t *testing.T, agent string, turns []said) (answer reply) {
	t.Helper()
	s.send(t, agent, "/v1/messages", map[string]any{
		"model": "claude-3-5-sonnet-20241022", "max_tokens": 60, "temperature": 1, "seed": len(turns), "messages": turns,
	}, &answer)
	return answer
}

// Sampled text often comes back in other tokens than were sampled. Each turn must read the last answer all
// the same: all of its tokens but the last, whose KV was never computed.
func TestSampledAnswersAreReadOnTheNextTurn(t *testing.T) {
	s := start(t, "SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT=0")
	var turns []said
	before, sampled, read, sum := 0, 0, 0, 0
	rounds := 50
	if len(raceFlag()) > 0 {
		rounds = 8 // the same, slowly
	}
	for turn := range rounds {
		turns = append(turns, said{"user", fmt.Sprintf("Tell me something about number %d.", turn)})
		answer := talk(t, s, turns)
		usage := answer.Usage
		if turn > 0 {
			sum += sampled
			read += max(0, min(sampled, usage.Read-before))
		}
		before, sampled = usage.Input+usage.Created+usage.Read, usage.Output
		if len(answer.Content) == 0 {
			t.Fatalf("turn %d has no text", turn)
		}
		turns = append(turns, said{"assistant", answer.Content[0].Text})
	}
	t.Logf("%d turns, %d of %d tokens of the answers were read", rounds, read, sum)
	if sum == 0 || float64(read) < 0.95*float64(sum) {
		t.Errorf("%d of %d tokens of the answers were read", read, sum)
	}
}
