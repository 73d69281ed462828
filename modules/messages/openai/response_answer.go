package openai

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// The types of answers, as they are sent and as the OpenAPI document names them.
type (
	response struct {
		ID                string              `json:"id"`
		Object            string              `json:"object" enum:"response"`
		Created           int64               `json:"created_at" doc:"In seconds since 1970"`
		Status            string              `json:"status" enum:"in_progress,completed,incomplete,failed"`
		Error             *responseError      `json:"error,omitempty"`
		Incomplete        *responseIncomplete `json:"incomplete_details,omitempty"`
		Model             string              `json:"model"`
		Output            []outputItem        `json:"output" nullable:"false"`
		ParallelToolCalls bool                `json:"parallel_tool_calls"`
		ToolChoice        string              `json:"tool_choice" doc:"Always auto: the request says it, and is not sent back"`
		Tools             []string            `json:"tools" nullable:"false" doc:"Always empty, for the same reason"`
		Usage             *responseUsage      `json:"usage,omitempty" doc:"Missing while it is in progress"`
	}
	responseError struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	responseIncomplete struct {
		Reason string `json:"reason" enum:"max_output_tokens"`
	}
	responseUsage struct {
		Input         int                   `json:"input_tokens" minimum:"0"`
		InputDetails  responseInputDetails  `json:"input_tokens_details"`
		Output        int                   `json:"output_tokens" minimum:"0"`
		OutputDetails responseOutputDetails `json:"output_tokens_details"`
		Total         int                   `json:"total_tokens" minimum:"0"`
	}
	responseInputDetails struct {
		Cached int `json:"cached_tokens" minimum:"0" doc:"Of the input's tokens those that were read from a tier of the cache"`
	}
	responseOutputDetails struct {
		Reasoning int `json:"reasoning_tokens" minimum:"0" doc:"Always 0: they are not told apart"`
	}
	messageItem struct {
		Type    string       `json:"type" enum:"message"`
		ID      string       `json:"id"`
		Role    string       `json:"role" enum:"assistant"`
		Status  string       `json:"status" enum:"in_progress,completed,incomplete"`
		Content []outputText `json:"content" nullable:"false"`
	}
	outputText struct {
		Type        string   `json:"type" enum:"output_text"`
		Text        string   `json:"text"`
		Annotations []string `json:"annotations" nullable:"false" doc:"Always empty"`
	}
	reasoningItem struct {
		Type    string          `json:"type" enum:"reasoning"`
		ID      string          `json:"id"`
		Summary []string        `json:"summary" nullable:"false" doc:"Always empty: the content is all of it"`
		Content []reasoningText `json:"content" nullable:"false"`
	}
	reasoningText struct {
		Type string `json:"type" enum:"reasoning_text"`
		Text string `json:"text"`
	}
	functionCallItem struct {
		Type      string `json:"type" enum:"function_call"`
		ID        string `json:"id"`
		CallID    string `json:"call_id" doc:"By which its function_call_output names it"`
		Name      string `json:"name"`
		Arguments string `json:"arguments" doc:"A JSON object"`
		Status    string `json:"status" enum:"in_progress,completed,incomplete"`
	}
	customCallItem struct {
		Type   string `json:"type" enum:"custom_tool_call"`
		ID     string `json:"id"`
		CallID string `json:"call_id" doc:"By which its custom_tool_call_output names it"`
		Name   string `json:"name"`
		Input  string `json:"input"`
		Status string `json:"status" enum:"in_progress,completed,incomplete"`
	}
)

// outputItem is one of the items above.
type outputItem struct{ is any }

// MarshalJSON implements json.Marshaler.
func (i outputItem) MarshalJSON() ([]byte, error) { return json.Marshal(i.is) }

// Schema implements huma.SchemaProvider.
func (outputItem) Schema(r huma.Registry) *huma.Schema { return outputItems(r) }

// The states of a response and its items.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// responding is a response on its way to a client.
type responding struct {
	*messages.Answer
	model    string // as the client named it
	id       string
	created  int64
	parallel bool
	custom   map[string]bool // tools whose calls are texts
	items    []outputItem    // that are complete
}

// respond answers POST /v1/responses.
func (a *API) respond(w http.ResponseWriter, r *http.Request) {
	var b responseBody
	fail := func(err error) { a.fail(w, r, err) }
	req, ok := a.cfg.Service.Take(w, r, fail, func(raw []byte) (*messages.Request, error) {
		if err := messages.Decode(raw, &b); err != nil {
			return nil, err
		}
		return b.understand(a.cfg.Service.Temperature())
	})
	if !ok {
		return
	}
	answer, err := a.cfg.Service.Submit(r.Context(), req)
	if err != nil {
		fail(err)
		return
	}
	defer answer.Close()
	c := &responding{
		Answer: answer, model: req.Model, id: newID("resp_"), created: a.cfg.Clock().Unix(), parallel: !req.SingleCall, custom: b.customNames(),
	}
	if b.Stream {
		a.streamResponse(w, r, c)
		return
	}
	blocks, err := c.Blocks(r.Context())
	if err != nil {
		fail(err)
		return
	}
	for i, block := range blocks {
		c.items = append(c.items, c.item(i, block, c.stateOf(c.Result())))
	}
	httpapi.WriteJSON(w, http.StatusOK, "application/json", c.whole())
}

// stateOf is how an answer ended.
func (c *responding) stateOf(result messages.Result) string {
	if result.Reason == engine.StopLimit || result.Reason == engine.StopNoRoom {
		return incomplete
	}
	return completed
}

// item is a block as an item of the output.
func (c *responding) item(index int, block messages.Block, state string) outputItem {
	id := itemID(c.id, index)
	if block.Kind == prompt.Thinking {
		return outputItem{reasoningItem{"reasoning", "rs" + id, []string{}, []reasoningText{{"reasoning_text", block.Text}}}}
	}
	if block.Kind != prompt.ToolUse {
		return outputItem{messageItem{"message", "msg" + id, "assistant", state, []outputText{textOf(block.Text)}}}
	}
	if c.custom[block.Name] {
		return outputItem{customCallItem{"custom_tool_call", "ctc" + id, block.ID, block.Name, customInput(block.Text), completed}}
	}
	return outputItem{functionCallItem{"function_call", "fc" + id, block.ID, block.Name, cmp.Or(block.Text, "{}"), completed}}
}

// itemID is what an item's id ends with.
func itemID(response string, index int) string {
	return strings.TrimPrefix(response, "resp") + "_" + strconv.Itoa(index)
}

func textOf(text string) outputText { return outputText{"output_text", text, []string{}} }

// begun is the response as it begins.
func (c *responding) begun() response {
	return response{
		ID: c.id, Object: "response", Created: c.created, Status: inProgress, Model: c.model, Output: []outputItem{},
		ParallelToolCalls: c.parallel, ToolChoice: "auto", Tools: []string{},
	}
}

// whole is the whole response, once it is finished.
func (c *responding) whole() response {
	result := c.Result()
	all := c.begun()
	all.Status, all.Output = c.stateOf(result), append(all.Output, c.items...)
	if all.Status == incomplete {
		all.Incomplete = &responseIncomplete{"max_output_tokens"}
	}
	u := result.Usage
	all.Usage = &responseUsage{u.Prompt, responseInputDetails{u.Cached}, u.Generated, responseOutputDetails{}, u.Prompt + u.Generated}
	return all
}
