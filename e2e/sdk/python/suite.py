"""The official Python SDK against a served model. One file for both API generations: run.sh chooses the SDK."""
import asyncio
import json
import os
import sys
import time
import traceback
import urllib.request

import anthropic

BASE = os.environ["SDK_BASE_URL"]
KEY = os.environ["SDK_API_KEY"]
VERSION = os.environ["SDK_API_VERSION"]
MODEL = "claude-3-5-sonnet-20241022"
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather at a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}

client = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0, timeout=60)


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def prompt_tokens(usage):
    return usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def create(messages=CAPITAL, max_tokens=48, **more):
    return client.messages.create(model=more.pop("model", MODEL), max_tokens=max_tokens, messages=messages, **more)


def refused(kind, status, call, words=""):
    """The call must raise exactly this of the SDK's errors, with the server's request id and Anthropic's envelope."""
    try:
        call()
    except anthropic.APIStatusError as error:
        same(type(error).__name__, kind.__name__)
        same(error.status_code, status)
        assert error.request_id, "the error has no request id"
        same(error.body["type"], "error")
        same(error.body["request_id"], error.request_id)
        assert words in error.body["error"]["message"], error.body
        return error
    raise AssertionError(f"no {kind.__name__}")


def version():
    same(client.default_headers["anthropic-version"], VERSION)


def answer():
    message = create()
    assert "Paris" in text_of(message), text_of(message)
    same((message.type, message.role, message.stop_reason), ("message", "assistant", "end_turn"))
    same(message.stop_sequence, None)
    same(message.model, MODEL)
    assert message.id.startswith("msg_") and message.usage.output_tokens > 0
    assert message._request_id, "the message has no request id"


def stream_helper():
    whole, kinds, pieces = create(), [], []
    with client.messages.stream(model=MODEL, max_tokens=48, messages=CAPITAL) as stream:
        for event in stream:
            kinds.append(event.type)
            if event.type == "text":
                pieces.append(event.text)
        final = stream.get_final_message()
        assert stream.request_id, "the stream has no request id"
    same("".join(pieces), text_of(whole))
    same(text_of(final), text_of(whole))
    assert len(pieces) > 3, f"the text came in {len(pieces)} pieces"
    same((final.stop_reason, final.stop_sequence), (whole.stop_reason, None))
    same(prompt_tokens(final.usage), prompt_tokens(whole.usage))
    same(final.usage.output_tokens, whole.usage.output_tokens)
    once = [k for k in kinds if k not in ("ping", "text", "content_block_delta")]
    same(once, ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"])


def raw_stream():
    events = list(client.messages.create(model=MODEL, max_tokens=8, messages=CAPITAL, stream=True))
    same(events[0].type, "message_start")
    assert prompt_tokens(events[0].message.usage) > 0
    same(events[-1].type, "message_stop")
    same(events[-2].usage.output_tokens, 8)


async def both_at_once():
    async with anthropic.AsyncAnthropic(base_url=BASE, api_key=KEY, max_retries=0, timeout=60) as aclient:

        async def one():
            async with aclient.messages.stream(model=MODEL, max_tokens=48, messages=CAPITAL) as stream:
                return "".join([text async for text in stream.text_stream]), await stream.get_final_message()

        for text, final in await asyncio.gather(one(), one(), one()):
            assert "Paris" in text, text
            same(text_of(final), text)


def count():
    for more in ({}, {"system": "Be brief."}, {"tools": [WEATHER]}):
        count = client.messages.count_tokens(model=MODEL, messages=CAPITAL, **more)
        same(count.input_tokens, prompt_tokens(create(max_tokens=1, **more).usage))


def system():
    question, secret = [{"role": "user", "content": "What is the secret word?"}], "The secret word is banana."
    alone, with_system = text_of(create(question)), text_of(create(question, system=secret))
    assert "banana" not in alone and "banana" in with_system, (alone, with_system)
    same(text_of(create(question, system=[{"type": "text", "text": secret}])), with_system)
    same(text_of(create([{"role": "system", "content": secret}] + question)), with_system)


def cache_control():
    block = [{"type": "text", "text": "You know geography.", "cache_control": {"type": "ephemeral"}}]
    usage = create(system=block, max_tokens=1).usage
    assert usage.cache_creation_input_tokens + usage.cache_read_input_tokens > 0, usage
    same(prompt_tokens(usage), client.messages.count_tokens(model=MODEL, messages=CAPITAL, system=block).input_tokens)


def stops():
    whole = text_of(create())
    message = create(stop_sequences=["Berlin", "Paris"])
    same((message.stop_reason, message.stop_sequence), ("stop_sequence", "Paris"))
    same(text_of(message), whole[: whole.index("Paris")])
    with client.messages.stream(model=MODEL, max_tokens=48, messages=CAPITAL, stop_sequences=["Paris"]) as stream:
        final = stream.get_final_message()
    same((final.stop_reason, final.stop_sequence, text_of(final)), ("stop_sequence", "Paris", text_of(message)))


def limit():
    message = create(max_tokens=3)
    same((message.stop_reason, message.usage.output_tokens), ("max_tokens", 3))
    assert text_of(create()).startswith(text_of(message)) and text_of(message)


def warm():
    message = create(max_tokens=0)
    same((message.content, message.stop_reason, message.usage.output_tokens), ([], "max_tokens", 0))


def turns():
    message = create([
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": [{"type": "text", "text": "Nice to meet you, Ada!"}]},
        {"role": "user", "content": [{"type": "text", "text": "What is my name?"}]},
    ])
    assert "Ada" in text_of(message), text_of(message)


def prefill():
    begun = CAPITAL + [{"role": "assistant", "content": "The capital of France is the city of"}]
    same(text_of(create(begun, max_tokens=4)).lstrip()[:5], "Paris")


def tools():
    same(create(tools=[WEATHER], max_tokens=4).stop_reason, "max_tokens")
    same(create(tools=[WEATHER], tool_choice={"type": "auto"}, max_tokens=4).stop_reason, "max_tokens")
    same(text_of(create(tools=[WEATHER], tool_choice={"type": "none"})), text_of(create()))


def forced_tool():
    """A loop of calls and their results, each turn read but for what is new; then an answer of the model's own choice."""
    messages, before = [{"role": "user", "content": "Compare the weather in Rome with that in Paris."}], 0
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}, {"type": "any", "disable_parallel_tool_use": True}):
        with client.messages.stream(model=MODEL, max_tokens=400, messages=messages, tools=[WEATHER], tool_choice=choice) as stream:
            message = stream.get_final_message()
        same(message.stop_reason, "tool_use")
        calls = [block for block in message.content if block.type == "tool_use"]
        same(len(calls), len(message.content))
        for call in calls:
            same((call.name, type(call.input["place"])), ("get_weather", str))
        assert (message.usage.cache_read_input_tokens or 0) >= before, (before, message.usage)
        before = prompt_tokens(message.usage)
        messages += [{"role": "assistant", "content": [block.model_dump(include={"type", "id", "name", "input"}) for block in message.content]},
                     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "22 degrees"} for call in calls]}]
    same(len(calls), 1)
    assert create(messages, tools=[WEATHER]).stop_reason in ("end_turn", "max_tokens", "tool_use")
    refused(anthropic.BadRequestError, 400, lambda: create(tools=[WEATHER], tool_choice={"type": "tool", "name": "other"}), "tool_choice")


def wrong_key():
    stranger = client.with_options(api_key="not-the-key")
    refused(anthropic.AuthenticationError, 401,
            lambda: stranger.messages.create(model=MODEL, max_tokens=1, messages=CAPITAL))
    refused(anthropic.AuthenticationError, 401,
            lambda: stranger.messages.count_tokens(model=MODEL, messages=CAPITAL))


def bearer():
    friend = anthropic.Anthropic(base_url=BASE, api_key=None, auth_token=KEY, max_retries=0)
    assert friend.messages.create(model=MODEL, max_tokens=1, messages=CAPITAL).usage.output_tokens == 1


def unknown_model():
    refused(anthropic.NotFoundError, 404, lambda: create(model="gpt-4o"), "gpt-4o")


def bad_requests():
    refused(anthropic.BadRequestError, 400, lambda: create(max_tokens=-1), "max_tokens")
    refused(anthropic.BadRequestError, 400, lambda: create([]), "messages")
    refused(anthropic.BadRequestError, 400, lambda: create([{"role": "robot", "content": "x"}]), "messages.0.role")
    refused(anthropic.BadRequestError, 400, lambda: create(extra_body={"temperature": 7}), "temperature")
    refused(anthropic.BadRequestError, 400, lambda: create([{"role": "user", "content": "word " * 9000}]))
    refused(anthropic.BadRequestError, 400, lambda: client.messages.stream(
        model=MODEL, max_tokens=-1, messages=CAPITAL).__enter__(), "max_tokens")


def gone():
    story = [{"role": "user", "content": "Tell me a long story about a lighthouse."}]
    for _ in range(6):
        with client.messages.stream(model=MODEL, max_tokens=2000, messages=story) as stream:
            next(iter(stream.text_stream))
    deadline = time.monotonic() + 5
    while "\nsemantic_slots_busy_ratio 0\n" not in fetch("/metrics"):
        assert time.monotonic() < deadline, "the server still works for clients that left"
        time.sleep(0.05)
    same(json.loads(fetch("/health/ready"))["status"], "ready")
    answer()


def fetch(path):
    with urllib.request.urlopen(BASE + path, timeout=10) as response:
        return response.read().decode()


CHECKS = [
    ("API version", version), ("answer", answer), ("stream helper", stream_helper), ("raw stream", raw_stream),
    ("three async streams", lambda: asyncio.run(both_at_once())), ("count_tokens", count), ("system prompt", system),
    ("cache_control", cache_control), ("stop_sequences", stops), ("max_tokens", limit), ("max_tokens 0", warm),
    ("several turns", turns), ("prefill", prefill), ("tools", tools), ("forced tool_choice", forced_tool),
    ("wrong key", wrong_key), ("bearer token", bearer), ("unknown model", unknown_model),
    ("bad requests", bad_requests), ("client gone", gone),
]

failures = 0
for name, check in CHECKS:
    try:
        check()
        print(f"ok {name}", flush=True)
    except Exception as error:  # all checks are to run
        failures += 1
        at = traceback.extract_tb(error.__traceback__)[:2][-1]  # the line in the check
        said = " ".join(str(error).split())
        print(f"FAIL {name}: {type(error).__name__} at line {at.lineno}: {said[:400]}", flush=True)
print("done")
sys.exit(failures > 0)
