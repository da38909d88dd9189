"""The ``anthropic`` package against a gateway whose models answer by a script; see ``tests/contract/scripted.py``."""

from anthropic import Anthropic
from harness import ASK, URL, check, main

client = Anthropic(base_url=URL, api_key="none", max_retries=0, timeout=20)
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]


def members(model, **more):
    return {"model": model, "messages": ASK, "max_tokens": 24, **more}


def create(model, **more):
    return client.messages.create(**members(model, **more)).model_dump()


def streamed(model, **more):
    with client.messages.stream(**members(model, **more)) as stream:
        return stream.get_final_message().model_dump()


@check
def thinker():
    final = client.messages.create(**members("thinker", tools=TOOLS))
    results = [
        {"type": "tool_result", "tool_use_id": b.id, "content": "ok"} for b in final.content if b.type == "tool_use"
    ]
    back = [*ASK, final.to_param(), {"role": "user", "content": results}]
    return {
        "whole": final.model_dump(),
        "streamed": streamed("thinker", tools=TOOLS),
        "echo": create("echo", messages=back, tools=TOOLS)["content"][0]["text"],
    }


@check
def hidden_thoughts():
    return streamed("thinker", thinking={"type": "adaptive", "display": "omitted"})


@check
def refused():
    return {"whole": create("refuser"), "streamed": streamed("refuser")}


@check
def broken():
    kinds = []
    stream = client.messages.create(**members("breaker"), stream=True)
    try:
        kinds.extend(event.type for event in stream)
    except Exception as error:
        return {"kinds": kinds, "raised": type(error).__name__, "body": error.body}
    return {"kinds": kinds}


@check
def overloaded():
    try:
        return create("overloaded")
    except Exception as error:
        return {"raised": type(error).__name__, "status": error.status_code, "body": error.body}


@check
def estimated():
    return client.messages.count_tokens(model="estimated", messages=ASK).model_dump()


main()
