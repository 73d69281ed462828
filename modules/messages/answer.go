package messages

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// answer is a message of the assistant as it is sent.
type answer struct {
	ID           string      `json:"id"`
	Type         string      `json:"type"`
	Role         string      `json:"role"`
	Model        string      `json:"model"`
	Content      []textBlock `json:"content"`
	StopReason   *string     `json:"stop_reason"`
	StopSequence *string     `json:"stop_sequence"`
	Usage        usage       `json:"usage"`
}

type textBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// usage counts tokens. The three parts of the input are disjoint and add up to the prompt.
type usage struct {
	Input         int `json:"input_tokens"`
	CacheCreation int `json:"cache_creation_input_tokens"`
	CacheRead     int `json:"cache_read_input_tokens"`
	Output        int `json:"output_tokens"`
}

// usageOf splits the prompt: what was read from a tier, what was computed up to the last breakpoint, and the rest.
// What was read may be spelled in more or fewer tokens than the prompt was, which moves a breakpoint behind it.
func usageOf(prompt Prompt, counted engine.Usage) usage {
	created := 0
	if prompt.Marked > 0 {
		moved := counted.Prompt - len(prompt.Tokens)
		created = max(0, prompt.Marked+moved-counted.Cached)
	}
	return usage{
		Input:         counted.Prompt - counted.Cached - created,
		CacheCreation: created,
		CacheRead:     counted.Cached,
		Output:        counted.Generated,
	}
}

// opening is the message before anything is generated, with what is known of its usage.
func (j *job) opening(known engine.Usage) answer {
	return answer{
		ID: j.id, Type: "message", Role: string(Assistant), Model: j.model, Content: []textBlock{},
		Usage: usageOf(j.prompt, known),
	}
}

// answer is the whole message, once it is finished.
func (j *job) answer(text string) answer {
	result := j.stream.Result()
	message := j.opening(result.Usage)
	if text != "" {
		message.Content = []textBlock{{"text", text}}
	}
	message.StopReason, message.StopSequence = ending(result)
	return message
}

// ending tells why an answer ended, in the API's words.
func ending(result engine.Result) (reason, sequence *string) {
	why := string(result.StopReason)
	if result.StopReason == engine.StopSequence {
		sequence = &result.StopSequence
	}
	return &why, sequence
}

func newID() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return "msg_" + hex.EncodeToString(random[:])
}
