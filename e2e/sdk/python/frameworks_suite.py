"""Libraries that agents are built with, each as its documentation has it, against a served model: tools in a loop, objects of a
form, streams. The small model is asked by constrained choice, so that what is checked is the server and not the model."""
import os
import traceback

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched from elsewhere
import instructor
import litellm
import llm
import openai
import pydantic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

BASE = os.environ["SDK_BASE_URL"]
KEY = os.environ["SDK_API_KEY"]
MODEL = "claude-frameworks"
QUESTION = "What is the weather in Rome?"


class Weather(pydantic.BaseModel):
    """The weather that somebody asks for."""
    model_config = pydantic.ConfigDict(extra="forbid")  # else more properties are valid, and a small model has always one more
    place: str = pydantic.Field(max_length=30)
    days: int = pydantic.Field(ge=1, le=7)


@tool
def get_weather(place: str) -> str:
    """The weather at a place."""
    return "22 degrees"


def by_litellm():
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}}]
    for model, base in ((f"openai/{MODEL}", BASE + "/v1"), (f"anthropic/{MODEL}", BASE)):
        how = {"model": model, "api_base": base, "api_key": KEY, "max_tokens": 200, "temperature": 0}
        messages = [{"role": "user", "content": QUESTION}]
        message = litellm.completion(messages=messages, tools=tools, tool_choice="required", **how).choices[0].message
        assert message.tool_calls[0].function.name == "get_weather", message
        messages.append(message.model_dump(exclude_none=True))
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "22 degrees"} for call in message.tool_calls]
        pieces = litellm.completion(messages=messages, tools=tools, stream=True, **{**how, "max_tokens": 16})
        assert "".join(p.choices[0].delta.content or "" for p in pieces), model


def by_langchain():
    for chat in (ChatOpenAI(model=MODEL, base_url=BASE + "/v1", api_key=KEY, temperature=0, max_completion_tokens=200, stream_usage=True),
                 ChatAnthropic(model=MODEL, base_url=BASE, api_key=KEY, temperature=0, max_tokens=200)):
        messages = [HumanMessage(QUESTION)]
        answer = chat.bind_tools([get_weather], tool_choice="any").invoke(messages)
        assert answer.tool_calls and answer.tool_calls[0]["name"] == "get_weather", answer
        messages.append(answer)
        messages += [ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]
        pieces = list(chat.bind_tools([get_weather]).stream(messages))
        whole = sum(pieces[1:], pieces[0])
        assert whole.text or whole.tool_calls, whole
        assert whole.usage_metadata["input_token_details"]["cache_read"] >= answer.usage_metadata["input_tokens"], whole.usage_metadata
    form = ChatOpenAI(model=MODEL, base_url=BASE + "/v1", api_key=KEY, temperature=0, max_completion_tokens=200).with_structured_output(Weather, method="json_schema")
    assert 1 <= form.invoke(QUESTION).days <= 7


def by_instructor():
    client = openai.OpenAI(base_url=BASE + "/v1", api_key=KEY, max_retries=0)
    for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
        weather = instructor.from_openai(client, mode=mode).chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], response_model=Weather, max_retries=0, max_tokens=200, temperature=0)
        assert isinstance(weather, Weather), weather


def by_pydantic_ai():
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=BASE + "/v1", api_key=KEY))
    for kind in (Weather, NativeOutput(Weather)):
        result = Agent(model, output_type=kind, model_settings={"temperature": 0, "max_tokens": 200}).run_sync(QUESTION)
        assert isinstance(result.output, Weather), result


def by_llm():
    from llm.default_plugins.openai_models import Chat
    model = Chat(model_id=MODEL, model_name=MODEL, api_base=BASE + "/v1")
    model.key = KEY
    conversation = model.conversation()
    first = conversation.prompt("My name is Ada.", temperature=0, max_tokens=16, stream=True)
    assert "".join(first) == first.text() and first.text()
    assert conversation.prompt("What is my name?", temperature=0, max_tokens=16, stream=False).text()


for name, check in (("litellm", by_litellm), ("langchain", by_langchain), ("instructor", by_instructor), ("pydantic-ai", by_pydantic_ai), ("llm", by_llm)):
    try:
        check()
        print("ok", name)
    except Exception as error:  # each check for itself
        traceback.print_exc()
        print("FAIL", name + ":", str(error).replace("\n", " ")[:300])
print("done")
