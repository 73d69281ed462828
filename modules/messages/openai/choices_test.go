package openai_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// told is what an answer, or a piece of one, tells.
type told struct {
	Choices []struct {
		Index   int
		Message struct{ Content string }
		Delta   struct{ Content string }

		Logprobs *struct {
			Content []struct {
				Token   string
				Logprob float64
				Bytes   []int
				Top     []struct {
					Token   string
					Logprob float64
				} `json:"top_logprobs"`
			}
		}
		FinishReason *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

// Several answers to one request are answers of their own: each with its own chance, the same again with the same seed.
func TestSeveralChoicesAreMadeAtOnce(t *testing.T) {
	server := serve(t, messagestest.Setup{Engine: messagestest.WithMemory})
	ask := func(more string) (whole told) {
		t.Helper()
		answer := server.Post(t, "/v1/chat/completions", `{"model":"house-model","max_tokens":12`+more+`,"messages":[{"role":"user","content":"hi"}]}`)
		if text := messagestest.Text(t, answer); answer.StatusCode != http.StatusOK || json.Unmarshal([]byte(text), &whole) != nil {
			t.Fatalf("%d %s", answer.StatusCode, text)
		}
		return whole
	}
	one, three := ask(`,"temperature":0`), ask(`,"temperature":0,"n":3`)
	if len(three.Choices) != 3 || three.Usage.Prompt != one.Usage.Prompt || three.Usage.Completion != 3*one.Usage.Completion {
		t.Errorf("%+v, one alone %+v", three, one)
	}
	for i, choice := range three.Choices {
		if choice.Index != i || choice.Message.Content != one.Choices[0].Message.Content || choice.FinishReason == nil {
			t.Errorf("%d: %+v", i, choice)
		}
	}
	streamed := messagestest.Text(t, server.Post(t, "/v1/chat/completions", `{"model":"house-model","max_tokens":12,"temperature":0,"n":3,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`))
	texts, ends, usage := map[int]string{}, 0, 0
	deltas(streamed, func(data json.RawMessage) string {
		messagestest.Described(t, server.Schemas, "ChatCompletionChunk", string(data), true)
		var piece told
		if err := json.Unmarshal(data, &piece); err != nil {
			t.Fatal(err)
		}
		for _, choice := range piece.Choices {
			texts[choice.Index] += choice.Delta.Content
			if choice.FinishReason != nil {
				ends++
			}
		}
		if piece.Usage != nil {
			usage = piece.Usage.Completion
		}
		return ""
	})
	if want := one.Choices[0].Message.Content; fmt.Sprint(texts) != fmt.Sprint(map[int]string{0: want, 1: want, 2: want}) || ends != 3 || usage != three.Usage.Completion {
		t.Errorf("%v, %d ends, %d tokens\n%s", texts, ends, usage, streamed)
	}
}

func TestChoicesWithASeedAreRepeatable(t *testing.T) {
	setup := messagestest.Setup{Engine: messagestest.WithMemory}
	setup.Model.Answer = func([]int32) int32 { return -1 }
	setup.Model.NoEnd = true
	server := serve(t, setup)
	ask := func(more string) string {
		return contents(t, messagestest.Text(t, server.Post(t, "/v1/chat/completions", `{"model":"house-model","max_tokens":12,"temperature":2`+more+`,"messages":[{"role":"user","content":"hi"}]}`)))
	}
	first := ask(`,"seed":7,"n":2`)
	if again := ask(`,"seed":7,"n":2`); again != first {
		t.Errorf("%q, then %q", first, again)
	}
	if alone := ask(`,"seed":7`); !strings.HasPrefix(first, alone) || first == alone+alone {
		t.Errorf("alone %q, of two %q", alone, first)
	}
}

// contents are the texts of all choices.
func contents(t *testing.T, answer string) (all string) {
	t.Helper()
	var whole told
	if err := json.Unmarshal([]byte(answer), &whole); err != nil || len(whole.Choices) == 0 {
		t.Fatal(answer)
	}
	for _, choice := range whole.Choices {
		all += choice.Message.Content + "|"
	}
	return all
}

// The likelihoods are those of the answer's tokens, whole and streamed, and those of the likeliest are probabilities.
func TestLikelihoodsAreTold(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, "Fine é."))
	body := `{"model":"house-model","temperature":0,"logprobs":true,"top_logprobs":3,"messages":[{"role":"user","content":"hi"}]`
	check := func(what string, pieces ...told) {
		t.Helper()
		text, said := []byte{}, ""
		for _, piece := range pieces {
			for _, choice := range piece.Choices {
				said += choice.Message.Content + choice.Delta.Content
				if choice.Logprobs == nil {
					continue
				}
				for _, token := range choice.Logprobs.Content {
					for _, b := range token.Bytes {
						text = append(text, byte(b))
					}
					sum := 0.0
					for i, top := range token.Top {
						sum += math.Exp(top.Logprob)
						if i > 0 && top.Logprob > token.Top[i-1].Logprob {
							t.Errorf("%s: the likeliest are not in their order: %+v", what, token.Top)
						}
					}
					if len(token.Top) != 3 || token.Top[0].Token != token.Token || token.Top[0].Logprob != token.Logprob || token.Logprob > 0 || sum > 1.000001 {
						t.Errorf("%s: %+v", what, token)
					}
				}
			}
		}
		if string(text) != said || said != "Fine é." {
			t.Errorf("%s: the tokens are those of %q, the text is %q", what, text, said)
		}
	}
	var whole told
	if text := messagestest.Text(t, server.Post(t, "/v1/chat/completions", body+"}")); json.Unmarshal([]byte(text), &whole) != nil {
		t.Fatal(text)
	} else {
		messagestest.Described(t, server.Schemas, "ChatCompletion", text, true)
	}
	check("whole", whole)
	var pieces []told
	deltas(messagestest.Text(t, server.Post(t, "/v1/chat/completions", body+`,"stream":true}`)), func(data json.RawMessage) string {
		var piece told
		if err := json.Unmarshal(data, &piece); err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, piece)
		return ""
	})
	check("streamed", pieces...)
}
