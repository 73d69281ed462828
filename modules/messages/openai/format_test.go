package openai_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

const (
	person   = `{"type":"json_schema","json_schema":{"name":"person","strict":true,"schema":{"type":"object","properties":{"name":{"type":"string","maxLength":8},"age":{"type":"integer","minimum":0,"maximum":150},"kind":{"enum":["a","b"]}},"required":["name","age","kind"],"additionalProperties":false}}}`
	babbling = "What a model writes that was not asked for a form."
)

// babbler is a server whose model wants to write a text that is no JSON.
func babbler(t *testing.T) *messagestest.Server {
	t.Helper()
	return serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, babbling))
}

// The answer has the form that was asked for, whatever the model would write, at any temperature, streamed or not.
func TestAnswersHaveTheFormThatWasAskedFor(t *testing.T) {
	server := babbler(t)
	for _, temperature := range []string{"0", "1", "2"} {
		for _, seed := range []string{"1", "2", "3"} {
			how := []string{"temperature", temperature, "seed", seed, "response_format", person, "max_tokens", "400"}
			got := parse(t, server.Post(t, chatPath, with(how...)), http.StatusOK).Choices[0]
			var value struct {
				Name *string `json:"name"`
				Age  *int    `json:"age"`
				Kind string  `json:"kind"`
			}
			d := json.NewDecoder(strings.NewReader(*got.Message.Content))
			d.DisallowUnknownFields()
			if err := d.Decode(&value); err != nil || *got.FinishReason != "stop" {
				t.Fatalf("temperature %s, seed %s: %q ended by %s: %v", temperature, seed, *got.Message.Content, *got.FinishReason, err)
			}
			if value.Name == nil || value.Age == nil || *value.Age > 150 || value.Kind != "a" && value.Kind != "b" {
				t.Errorf("%q", *got.Message.Content)
			}
		}
	}
}

// An object is an object, and what max_tokens cuts is the beginning of one.
func TestAnyObjectMayBeAskedFor(t *testing.T) {
	server := babbler(t)
	got := parse(t, server.Post(t, chatPath, with("temperature", "1", "seed", "5", "response_format", `{"type":"json_object"}`, "max_tokens", "20")), http.StatusOK).Choices[0]
	if text := *got.Message.Content; !strings.HasPrefix(text, "{") || *got.FinishReason == "stop" && !json.Valid([]byte(text)) {
		t.Errorf("%q ended by %s", text, *got.FinishReason)
	}
}

// Requests with forms change nothing in those that run beside them.
func TestFormsAreOfTheirOwnAnswersOnly(t *testing.T) {
	server := babbler(t)
	want := *parse(t, server.Post(t, chatPath, with("temperature", "0")), http.StatusOK).Choices[0].Message.Content
	if want != babbling {
		t.Fatalf("%q", want)
	}
	formed := make(chan string, 3)
	for range 3 {
		go func() {
			formed <- messagestest.Text(t, server.Post(t, chatPath, with("temperature", "1", "response_format", person, "max_tokens", "300")))
		}()
	}
	for range 5 {
		if got := *parse(t, server.Post(t, chatPath, with("temperature", "0")), http.StatusOK).Choices[0].Message.Content; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for range 3 {
		if got := <-formed; !strings.Contains(got, `\"age\"`) {
			t.Errorf("%s", got)
		}
	}
}

// A schema that an answer can't be held to is refused by the keyword's place in the request.
func TestFormsAreRefusedByPlace(t *testing.T) {
	server := babbler(t)
	schema := func(s string) string { return `{"type":"json_schema","json_schema":{"name":"n","schema":` + s + `}}` }
	for format, param := range map[string]string{
		schema(`{"type":"object","properties":{"a":{"not":{}}}}`): "response_format.json_schema.schema.properties.a.not",
		schema(`{"type":"string","pattern":"(?=x)"}`):             "response_format.json_schema.schema.pattern",
		schema(`7`):              "response_format.json_schema.schema",
		`{"type":"json_schema"}`: "response_format.json_schema.schema",
		`{"type":"grammar"}`:     "response_format.type",
	} {
		got := parse(t, server.Post(t, chatPath, with("response_format", format)), http.StatusBadRequest)
		if e := got.Error; e == nil || e.Param == nil || *e.Param != param {
			t.Errorf("%s: %+v, want %s", format, e, param)
		}
	}
}
