"""The ``anthropic`` package against Seekway with a real model."""

from anthropic import Anthropic
from harness import ASK, ASK_WEATHER, CHAT_MODEL, SCHEMA, TOOL, URL, check, main

client = Anthropic(base_url=URL, api_key="none", max_retries=0, timeout=100)
deepseek_base = Anthropic(base_url=f"{URL}/anthropic", api_key="none", max_retries=0, timeout=100)
WEATHER = {
    "name": TOOL["function"]["name"],
    "description": TOOL["function"]["description"],
    "input_schema": TOOL["function"]["parameters"],
}
GREEDY = {"temperature": 0}
FORCED = {"type": "tool", "name": "get_weather"}


def members(**more):
    # The newest client has no temperature of its own; Seekway takes it all the same.
    return {"model": CHAT_MODEL, "messages": ASK, "max_tokens": 24, "extra_body": GREEDY, **more}


def create(using=client, **more):
    return using.messages.create(**members(**more))


def answer(message):
    return {
        "type": message.type,
        "id": message.id,
        "request_id": getattr(message, "_request_id", None),
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "blocks": [block.model_dump() for block in message.content],
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "usage": message.usage.model_dump(),
    }


def streamed(**more):
    with client.messages.stream(**members(**more)) as stream:
        kinds = [event.type for event in stream]
        return {"kinds": kinds, "final": answer(stream.get_final_message())}


@check
def message():
    return answer(create())


@check
def stream():
    with client.messages.stream(**members()) as running:
        pieces = list(running.text_stream)
        return {"pieces": pieces, "final": answer(running.get_final_message())}


@check
def raw_stream():
    return {"kinds": [event.type for event in create(stream=True)]}


@check
def deepseeks_base():
    return answer(create(deepseek_base))


@check
def bearer_token():
    return answer(create(Anthropic(base_url=URL, api_key=None, auth_token="none", max_retries=0)))


@check
def system():
    return answer(create(system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]))


@check
def claude_name():
    return answer(create(model="claude-sonnet-4-5"))


@check
def stop():
    whole = create().content[0].text
    word = whole.split()[2]
    return {"whole": whole, "word": word, "stopped": answer(create(stop_sequences=[word, "\u0000never"]))}


@check
def length():
    return answer(create(max_tokens=3))


@check
def prefill():
    return answer(create(messages=[*ASK, {"role": "assistant", "content": "The sea looks"}]))


@check
def structured():
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    question = [{"role": "user", "content": "Is water wet? Answer in JSON."}]
    return answer(create(messages=question, max_tokens=64, output_config=form))


@check
def tools():
    wanted = {"messages": ASK_WEATHER, "tools": [WEATHER], "tool_choice": FORCED, "max_tokens": 64}
    called = create(**wanted)
    (call,) = [block for block in called.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "18 C, clear"}]}
    after = [*ASK_WEATHER, called.to_param(), {"role": "user", "content": [result]}]
    return {
        "called": answer(called),
        "streamed": streamed(**wanted),
        "after": answer(create(messages=after, tools=[WEATHER])),
    }


@check
def thinking():
    thought = {"type": "thinking", "thinking": "They greet me.", "signature": "unsigned"}
    redacted = {"type": "redacted_thinking", "data": "b3BhcXVl"}
    turn = {"role": "assistant", "content": [thought, redacted, {"type": "text", "text": "Hello."}]}
    messages = [{"role": "user", "content": "Hi"}, turn, *ASK]
    return {
        "disabled": answer(create(thinking={"type": "disabled"}, messages=messages)),
        "enabled": answer(create(thinking={"type": "enabled", "budget_tokens": 1024}, messages=messages)),
    }


@check
def count():
    asked = {"model": CHAT_MODEL, "messages": ASK, "system": "Be brief.", "tools": [WEATHER]}
    counted = client.messages.count_tokens(**asked)
    used = client.messages.create(**asked, max_tokens=1).usage
    return {"counted": counted.model_dump(), "used": used.model_dump()}


@check
def unknown_model():
    return answer(create(model="no-such-model"))


@check
def bad_parameter():
    return answer(create(extra_body={"temperature": 9}))


@check
def bad_block():
    return answer(create(messages=[{"role": "user", "content": [{"type": "document", "source": {"type": "text"}}]}]))


@check
def abandoned_stream():
    with client.messages.stream(**members(max_tokens=200)) as running:
        next(iter(running))
    return answer(create(max_tokens=4))


main()
