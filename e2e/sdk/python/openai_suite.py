"""OpenAI's Python SDK against a served model."""
import asyncio
import json
import os
import sys
import time
import traceback

import openai

BASE = os.environ["SDK_BASE_URL"] + "/v1"
KEY = os.environ["SDK_API_KEY"]
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=60)
MODEL = client.models.list().data[0].id


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def create(messages=CAPITAL, **more):
    more.setdefault("max_completion_tokens", 48)
    return client.chat.completions.create(model=more.pop("model", MODEL), messages=messages, **more)


def refused(kind, status, call, code=None, words=""):
    """The call must raise exactly this of the SDK's errors, with the server's request id and OpenAI's envelope."""
    try:
        call()
    except openai.APIStatusError as error:
        same(type(error).__name__, kind.__name__)
        same(error.status_code, status)
        same(error.code, code)
        assert error.request_id, "the error has no request id"
        assert words in error.message, error.message
        return error
    raise AssertionError(f"no {kind.__name__}")


def models():
    listed = list(client.models.list())
    assert any(m.id.startswith("claude-") for m in listed), listed
    for m in listed:
        same(client.models.retrieve(m.id).id, m.id)
    refused(openai.NotFoundError, 404, lambda: client.models.retrieve("gpt-4o"), code="model_not_found")


def answer():
    completion = create()
    choice = completion.choices[0]
    assert "Paris" in choice.message.content, choice
    same((completion.object, choice.finish_reason, choice.message.role), ("chat.completion", "stop", "assistant"))
    assert completion.id.startswith("chatcmpl-") and abs(completion.created - time.time()) < 3600
    usage = completion.usage
    same(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
    assert completion._request_id, "the completion has no request id"


def streaming():
    whole = create().choices[0].message.content
    pieces = list(create(stream=True, stream_options={"include_usage": True}))
    text = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
    same(text, whole)
    same([p.choices[0].finish_reason for p in pieces if p.choices and p.choices[0].finish_reason], ["stop"])
    assert pieces[-1].usage.completion_tokens > 0 and not pieces[-1].choices
    assert all(p.usage is None for p in pieces[:-1])
    with client.chat.completions.stream(model=MODEL, messages=CAPITAL, max_completion_tokens=48) as stream:
        for _ in stream:
            pass
        same(stream.get_final_completion().choices[0].message.content, whole)


def memory():
    system = {"role": "system", "content": "You answer briefly. " + "The hall has pumps. " * 60}
    messages = [system] + CAPITAL
    first = create(messages, extra_headers={"X-Agent-ID": "openai"})
    messages += [{"role": "assistant", "content": first.choices[0].message.content}, {"role": "user", "content": "And of Italy?"}]
    second = create(messages, extra_headers={"X-Agent-ID": "openai"})
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert cached >= first.usage.prompt_tokens, (cached, first.usage)


def limits():
    same(create(max_completion_tokens=3).choices[0].finish_reason, "length")
    same(create(max_tokens=3, max_completion_tokens=openai.omit).usage.completion_tokens, 3)
    stopped = create(stop=["Paris"]).choices[0]
    assert "Paris" not in stopped.message.content and stopped.finish_reason == "stop", stopped
    def cats(penalty):
        went_on = client.completions.create(model=MODEL, prompt="The cat sat. The cat sat. The cat sat.", max_tokens=24, frequency_penalty=penalty, temperature=0)
        return went_on.choices[0].text.count("cat")
    assert cats(0.0) > cats(2.0), (cats(0.0), cats(2.0))
    same(create(seed=7, temperature=1.0).choices[0].message.content, create(seed=7, temperature=1.0).choices[0].message.content)


def tools():
    create(tools=[WEATHER], tool_choice="auto")
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": json.dumps({"place": "Rome"})}}
    messages = CAPITAL + [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": "22 degrees"}]
    assert create(messages, tools=[WEATHER]).choices[0].finish_reason in ("stop", "length", "tool_calls")
    refused(openai.BadRequestError, 400, lambda: create(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "other"}}), words="tool_choice")


def forced_tool():
    """A loop of forced calls and their results, streamed and not, each turn read but for what is new."""
    strict = {"type": "function", "function": {**WEATHER["function"], "strict": True, "parameters": {
        "type": "object", "properties": {"place": {"type": "string", "maxLength": 40}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
        "required": ["place", "days"], "additionalProperties": False}}}
    messages, before = [{"role": "user", "content": "Compare the weather in Rome with that in Paris."}], 0
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}, "required"):
        with client.chat.completions.stream(model=MODEL, messages=messages, tools=[strict], tool_choice=choice, max_completion_tokens=400,
                                            parallel_tool_calls=False, stream_options={"include_usage": True}) as stream:
            completion = stream.get_final_completion()
        message = completion.choices[0].message
        same((completion.choices[0].finish_reason, len(message.tool_calls)), ("tool_calls", 1))
        call = message.tool_calls[0]
        arguments = json.loads(call.function.arguments)
        assert call.function.name == "get_weather" and isinstance(arguments["place"], str) and 1 <= arguments["days"] <= 7 and len(arguments) == 2, call
        assert completion.usage.prompt_tokens_details.cached_tokens >= before, (before, completion.usage)
        before = completion.usage.prompt_tokens
        messages += [{"role": "assistant", "content": None, "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}]},
            {"role": "tool", "tool_call_id": call.id, "content": "22 degrees"}]
    assert create(messages, tools=[strict]).choices[0].finish_reason in ("stop", "length", "tool_calls")


def continuation():
    """A text is gone on with as it is, whole and streamed alike."""
    how = {"model": MODEL, "prompt": "The capital of France is", "max_tokens": 12, "temperature": 0}
    whole = client.completions.create(**how)
    same((whole.object, whole.choices[0].finish_reason, whole.usage.completion_tokens), ("text_completion", "length", 12))
    assert whole.choices[0].text[0] == " " and "Paris" in whole.choices[0].text, whole
    same("".join(piece.choices[0].text for piece in client.completions.create(stream=True, **how)), whole.choices[0].text)
    same(client.completions.create(echo=True, **how).choices[0].text, how["prompt"] + whole.choices[0].text)
    refused(openai.BadRequestError, 400, lambda: client.completions.create(**{**how, "prompt": ["a", "b"]}), words="prompt")


def responses():
    """A response, streamed and not, and a loop of forced calls over the Responses API."""
    how = {"model": MODEL, "input": "What is the capital of France?", "max_output_tokens": 24, "temperature": 0}
    whole = client.responses.create(**how)
    assert whole.status in ("completed", "incomplete") and "Paris" in whole.output_text, whole
    with client.responses.stream(**how) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    same((deltas, final.output_text, final.usage.output_tokens), (whole.output_text, whole.output_text, whole.usage.output_tokens))
    tool = {"type": "function", "name": "get_weather", "strict": True, "parameters": {
        "type": "object", "properties": {"place": {"type": "string", "maxLength": 40}}, "required": ["place"], "additionalProperties": False}}
    items, before = [{"role": "user", "content": "Compare the weather in Rome with that in Paris."}], 0
    for _ in range(2):
        answer = client.responses.create(model=MODEL, input=items, tools=[tool], tool_choice="required", parallel_tool_calls=False, max_output_tokens=300)
        (call,) = answer.output
        assert call.type == "function_call" and isinstance(json.loads(call.arguments)["place"], str), call
        assert answer.usage.input_tokens_details.cached_tokens >= before, (before, answer.usage)
        before = answer.usage.input_tokens
        items += [call.model_dump(exclude_none=True), {"type": "function_call_output", "call_id": call.call_id, "output": "22 degrees"}]
    refused(openai.BadRequestError, 400, lambda: client.responses.create(model=MODEL, input="Hi", previous_response_id="resp_1"), words="stores no responses")


def errors():
    refused(openai.NotFoundError, 404, lambda: create(model="gpt-4o"), code="model_not_found", words="gpt-4o")
    refused(openai.BadRequestError, 400, lambda: create([]), words="messages")
    refused(openai.BadRequestError, 400, lambda: create(n=17), words="n:")
    refused(openai.BadRequestError, 400, lambda: create([{"role": "user", "content": "long " * 20000}]), code="context_length_exceeded",
            words="maximum context length")
    stranger = openai.OpenAI(base_url=BASE, api_key="wrong", max_retries=0)
    refused(openai.AuthenticationError, 401, lambda: stranger.chat.completions.create(model=MODEL, messages=CAPITAL), code="invalid_api_key")


def asynchronous():
    async def ask(question):
        async with openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=120) as c:
            stream = await c.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}], max_completion_tokens=24, stream=True)
            return "".join([p.choices[0].delta.content or "" async for p in stream if p.choices])

    async def together(questions):
        return await asyncio.gather(*[ask(q) for q in questions])

    questions = [f"What is {i} and {i}?" for i in range(6)]
    alone = [asyncio.run(ask(q)) for q in questions]
    same(asyncio.run(together(questions)), alone)


def main():
    failed = False
    for check in (models, answer, streaming, memory, limits, tools, forced_tool, continuation, responses, errors, asynchronous):
        try:
            check()
            print(f"ok {check.__name__}", flush=True)
        except Exception as error:
            failed = True
            traceback.print_exc()
            print(f"FAIL {check.__name__}: {error}", flush=True)
    print("done", flush=True)
    sys.exit(failed)


main()
