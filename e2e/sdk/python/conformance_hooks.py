"""Hooks of schemathesis: answers and profiles that may have any length are bounded, so that requests end while it waits, and the model stays."""
import schemathesis

MOST_TOKENS = 32
# The fields that bound an answer, by path. Where none has to be there, the last is added to what has none.
BOUNDS = {
    "/v1/messages": ["max_tokens"],
    "/v1/chat/completions": ["max_tokens", "max_completion_tokens"],
    "/v1/completions": ["max_tokens"],
    "/v1/responses": ["max_output_tokens"],
}
ALWAYS_BOUNDED = {"/v1/messages"}  # without max_tokens the request is wrong, which is for schemathesis to try


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path == "/admin/pprof/{profile}":
        query = case.query if isinstance(case.query, dict) else {}
        seconds = query.get("seconds")
        if seconds is None or str(seconds).isdigit() and 1 <= int(seconds) <= 60:
            case.query = {**query, "seconds": 1}
    if case.path == "/admin/models/unload":  # the other operations need a model
        case.body = {**(case.body if isinstance(case.body, dict) else {}), "id": "a model that is not loaded"}
    names = BOUNDS.get(case.path)
    if names is None or not isinstance(case.body, dict):
        return
    for name in names:
        value = case.body.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > MOST_TOKENS:
            case.body[name] = MOST_TOKENS
    if case.path not in ALWAYS_BOUNDED and all(case.body.get(name) is None for name in names):
        case.body[names[-1]] = MOST_TOKENS
