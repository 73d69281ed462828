"""Hooks of schemathesis: answers that may have any length are bounded, so that requests end while it waits."""
import schemathesis

MOST_TOKENS = 32
BOUNDS = {"/v1/messages": "max_tokens", "/v1/chat/completions": "max_completion_tokens"}


@schemathesis.hook
def before_call(context, case, kwargs):
    bound = BOUNDS.get(case.path)
    if bound is None or not isinstance(case.body, dict):
        return
    for name in ("max_tokens", "max_completion_tokens"):
        value = case.body.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > MOST_TOKENS:
            case.body[name] = MOST_TOKENS
    if bound == "max_completion_tokens" and not {"max_tokens", bound} & set(case.body):
        case.body[bound] = MOST_TOKENS
