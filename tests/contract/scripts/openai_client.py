"""The ``openai`` package against Seekway."""

from harness import ASK, ASK_JSON, ASK_WEATHER, CHAT_MODEL, EMBED_MODEL, NAMED, SCHEMA, TOOL, URL, check, main
from openai import OpenAI

client = OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0, timeout=100)
beta = OpenAI(base_url=f"{URL}/beta", api_key="none", max_retries=0, timeout=100)


def create(**members):
    members = {"model": CHAT_MODEL, "messages": ASK, "max_tokens": 24, "temperature": 0, **members}
    return client.chat.completions.create(**members)


def answer(response):
    choice = response.choices[0]
    return {
        "object": response.object,
        "id": response.id,
        "text": choice.message.content,
        "reasoning": getattr(choice.message, "reasoning_content", None),
        "finish": choice.finish_reason,
        "usage": response.usage.model_dump(),
    }


def collected(stream):
    pieces, objects, finishes, usages, calls = [], set(), [], [], []
    for chunk in stream:
        objects.add(chunk.object)
        if chunk.usage is not None:
            usages.append(chunk.usage.model_dump())
        for choice in chunk.choices:
            if choice.delta.content:
                pieces.append(choice.delta.content)
            calls += [call.model_dump() for call in choice.delta.tool_calls or ()]
            if choice.finish_reason:
                finishes.append(choice.finish_reason)
    return {"pieces": pieces, "objects": sorted(objects), "finishes": finishes, "usages": usages, "calls": calls}


@check
def models():
    listed = list(client.models.list())
    return {"ids": [model.id for model in listed], "objects": sorted({model.object for model in listed})}


@check
def chat():
    return answer(create())


@check
def stream():
    return collected(create(stream=True, stream_options={"include_usage": True}))


@check
def base_without_v1():
    plain = OpenAI(base_url=URL, api_key="none", max_retries=0, timeout=100)
    return answer(plain.chat.completions.create(model=CHAT_MODEL, messages=ASK, max_tokens=8))


@check
def thinking():
    enabled = create(extra_body={"thinking": {"type": "enabled"}}, reasoning_effort="high")
    disabled = create(extra_body={"thinking": {"type": "disabled"}})
    return {"enabled": answer(enabled), "disabled": answer(disabled)}


@check
def stop():
    whole = create().choices[0].message.content
    word = whole.split()[2]
    return {"whole": whole, "word": word, "stopped": answer(create(stop=[word, "\u0000never"]))}


@check
def length():
    return answer(create(max_tokens=3))


@check
def logprobs():
    choice = create(logprobs=True, top_logprobs=0, max_tokens=6).choices[0]
    return {"text": choice.message.content, "tokens": [token.model_dump() for token in choice.logprobs.content]}


@check
def json_mode():
    schema = {"name": "verdict", "schema": SCHEMA, "strict": True}
    return {
        "object": answer(create(messages=ASK_JSON, max_tokens=200, response_format={"type": "json_object"})),
        "schema": answer(
            create(messages=ASK_JSON, max_tokens=64, response_format={"type": "json_schema", "json_schema": schema})
        ),
    }


@check
def tools():
    members = {"messages": ASK_WEATHER, "tools": [TOOL], "tool_choice": NAMED, "max_tokens": 64}
    choice = create(**members).choices[0]
    calls = [call.model_dump() for call in choice.message.tool_calls]
    round_trip = [
        *ASK_WEATHER,
        choice.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": calls[0]["id"], "content": "18 C, clear"},
    ]
    return {
        "calls": calls,
        "finish": choice.finish_reason,
        "streamed": collected(create(stream=True, **members)),
        "after": answer(create(messages=round_trip, tools=[TOOL])),
    }


@check
def embeddings():
    def vectors(**members):
        response = client.embeddings.create(model=EMBED_MODEL, input=["a cat", "a small cat", "tax law"], **members)
        return [item.embedding for item in response.data], response.usage.model_dump()

    floats, usage = vectors(encoding_format="float")
    default, _ = vectors()
    raw = client.embeddings.with_raw_response.create(model=EMBED_MODEL, input="a cat", encoding_format="base64")
    return {"floats": floats, "default": default, "base64": raw.http_response.json(), "usage": usage}


@check
def unknown_model():
    return answer(create(model="no-such-model"))


@check
def bad_parameter():
    return answer(create(temperature=9))


@check
def bad_messages():
    return answer(create(messages=[]))


@check
def prefix():
    messages = [*ASK, {"role": "assistant", "content": "The sea looks", "prefix": True}]
    return answer(beta.chat.completions.create(model=CHAT_MODEL, messages=messages, max_tokens=8, temperature=0))


@check
def fim():
    response = beta.completions.create(model=CHAT_MODEL, prompt="def add(a, b):\n", suffix="\n", max_tokens=8)
    return {"object": response.object, "text": response.choices[0].text, "usage": response.usage.model_dump()}


@check
def completion():
    response = client.completions.create(model=CHAT_MODEL, prompt="The sea is", max_tokens=8, temperature=0)
    choice = response.choices[0]
    return {"object": response.object, "text": choice.text, "finish": choice.finish_reason}


@check
def abandoned_stream():
    running = create(stream=True, max_tokens=200)
    next(iter(running))
    running.close()
    return answer(create(max_tokens=4))


main()
