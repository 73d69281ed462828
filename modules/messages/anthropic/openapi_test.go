package anthropic

import (
	"reflect"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// What the document says of requests is read: every field that it names has one that a body is decoded into.
func TestEveryDescribedFieldIsRead(t *testing.T) {
	for _, c := range []struct{ described, read reflect.Type }{
		{reflect.TypeFor[messageRequest](), reflect.TypeFor[body]()},
		{reflect.TypeFor[messageParam](), reflect.TypeFor[turnBody]()},
		{reflect.TypeFor[textBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[thinkingBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[redactedThinkingBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[toolUseBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[toolResultBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[toolParam](), reflect.TypeFor[tool]()},
		{reflect.TypeFor[toolChoiceAuto](), reflect.TypeFor[toolChoice]()},
		{reflect.TypeFor[metadataParam](), reflect.TypeFor[metadata]()},
		{reflect.TypeFor[cacheControlParam](), reflect.TypeFor[cacheControl]()},
	} {
		messagestest.DescribedFieldIsRead(t, c.described, c.read)
	}
}
