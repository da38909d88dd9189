"""``langchain-deepseek`` against Seekway."""

from harness import CHAT_MODEL, SCHEMA, TOOL, URL, check, main
from langchain_deepseek import ChatDeepSeek

QUESTION = "Tell me in one sentence what the sea looks like."


def model(**members):
    members = {"model": CHAT_MODEL, "max_tokens": 24, "temperature": 0, **members}
    return ChatDeepSeek(api_base=f"{URL}/v1", api_key="none", max_retries=0, timeout=100, **members)


def answer(message):
    return {
        "text": message.content,
        "finish": message.response_metadata.get("finish_reason"),
        "usage": dict(message.usage_metadata or {}),
    }


@check
def chat():
    return answer(model().invoke(QUESTION))


@check
def stream():
    pieces, usages, finishes = [], [], []
    for chunk in model().stream(QUESTION):
        if chunk.content:
            pieces.append(chunk.content)
        if chunk.usage_metadata:
            usages.append(dict(chunk.usage_metadata))
        if chunk.response_metadata.get("finish_reason"):
            finishes.append(chunk.response_metadata["finish_reason"])
    return {"pieces": pieces, "usages": usages, "finishes": finishes}


@check
def thinking():
    return answer(model(extra_body={"thinking": {"type": "disabled"}}).invoke(QUESTION))


@check
def tools():
    bound = model(max_tokens=64).bind_tools([TOOL], tool_choice="get_weather")
    message = bound.invoke("What is the weather in Paris in degrees Celsius?")
    return {"calls": message.tool_calls, "invalid": message.invalid_tool_calls}


@check
def structured():
    chain = model(max_tokens=64).with_structured_output({**SCHEMA, "title": "verdict"}, method="function_calling")
    return {"value": chain.invoke("Is water wet?")}


@check
def unknown_model():
    return answer(model(model="no-such-model").invoke(QUESTION))


@check
def bad_parameter():
    return answer(model(temperature=9).invoke(QUESTION))


main()
