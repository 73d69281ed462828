package openai

import (
	"reflect"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// What the document says of requests is read: every field that it names has one that a body is decoded into.
func TestEveryDescribedFieldIsRead(t *testing.T) {
	for described, read := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[chatCompletionRequest](): reflect.TypeFor[chatBody](),
		reflect.TypeFor[streamOptionsParam]():    reflect.TypeFor[streamOptions](),
		reflect.TypeFor[systemMessageParam]():    reflect.TypeFor[turnBody](),
		reflect.TypeFor[userMessageParam]():      reflect.TypeFor[turnBody](),
		reflect.TypeFor[assistantMessageParam](): reflect.TypeFor[turnBody](),
		reflect.TypeFor[toolMessageParam]():      reflect.TypeFor[turnBody](),
		reflect.TypeFor[toolCallParam]():         reflect.TypeFor[callBody](),
		reflect.TypeFor[textPartParam]():         reflect.TypeFor[partBody](),
		reflect.TypeFor[chatToolParam]():         reflect.TypeFor[toolBody](),
	} {
		messagestest.DescribedFieldIsRead(t, described, read)
	}
}
