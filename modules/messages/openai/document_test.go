package openai_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// What is sent is what the document says.
func TestTheDocumentTellsWhatIsSent(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, twoCalls, "Done."))
	messagestest.Described(t, server.Schemas, "ChatCompletion", messagestest.Text(t, server.Post(t, chatPath, with("tools", someTools))), true)
	_, pieces := streamed(t, server.Post(t, chatPath, with("stream", "true", "tools", someTools, "stream_options", `{"include_usage":true}`)))
	for _, piece := range pieces {
		messagestest.Described(t, server.Schemas, "ChatCompletionChunk", piece, true)
	}
	messagestest.Described(t, server.Schemas, "ChatError", messagestest.Text(t, server.Post(t, chatPath, "{")), true)
	for body, is := range map[string]bool{
		with("tools", someTools, "tool_choice", `"auto"`, "stop", `["a"]`, "temperature", "2", "seed", "1"):                                                                                                       true,
		with("messages", `[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"x"}]}]`): true,
		with("messages", `[{"role":"tool","content":"x"}]`):  false,
		with("messages", `[{"role":"robot","content":"x"}]`): false,
		with("temperature", "3"):                             false,
	} {
		messagestest.Described(t, server.Schemas, "ChatCompletionRequest", body, is)
	}
	for _, path := range []string{"/v1/models", "/v1/models/memory"} {
		req, err := http.NewRequest(http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+messagestest.Key)
		name := map[bool]string{true: "ModelList", false: "Model"}[strings.HasSuffix(path, "models")]
		messagestest.Described(t, server.Schemas, name, messagestest.Text(t, server.Do(t, req)), true)
	}
}
