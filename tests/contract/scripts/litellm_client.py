"""``litellm`` as a client of Seekway, under its ``deepseek/`` and its ``openai/`` prefix."""

import litellm
from harness import ASK, ASK_WEATHER, CHAT_MODEL, EMBED_MODEL, NAMED, TOOL, URL, check, main

litellm.telemetry = False
litellm.num_retries = 0


def create(prefix, **members):
    members = {"messages": ASK, "max_tokens": 24, "temperature": 0, "model": f"{prefix}/{CHAT_MODEL}", **members}
    return litellm.completion(api_base=f"{URL}/v1", api_key="none", timeout=100, **members)


def both(run):
    return {prefix: run(prefix) for prefix in ("deepseek", "openai")}


def answer(response):
    choice = response.choices[0]
    usage = response.usage
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "usage": {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens},
    }


def collected(prefix):
    pieces, finishes, usages = [], [], []
    for chunk in create(prefix, stream=True, stream_options={"include_usage": True}):
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            usages.append({"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens})
        for choice in chunk.choices:
            if choice.delta.content:
                pieces.append(choice.delta.content)
            if choice.finish_reason:
                finishes.append(choice.finish_reason)
    return {"pieces": pieces, "finishes": finishes, "usages": usages}


@check
def chat():
    return both(lambda prefix: answer(create(prefix)))


@check
def stream():
    return both(collected)


@check
def tools():
    def calls(prefix):
        response = create(prefix, messages=ASK_WEATHER, tools=[TOOL], tool_choice=NAMED, max_tokens=64)
        return [call.model_dump() for call in response.choices[0].message.tool_calls]

    return both(calls)


@check
def embeddings():
    response = litellm.embedding(
        model=f"openai/{EMBED_MODEL}", input=["a cat"], api_base=f"{URL}/v1", api_key="none", encoding_format="float"
    )
    return {"vector": response.data[0]["embedding"]}


@check
def unknown_model():
    return answer(create("openai", model="openai/no-such-model"))


@check
def unknown_deepseek_model():
    return answer(create("deepseek", model="deepseek/no-such-model"))


@check
def bad_parameter():
    return answer(create("openai", temperature=9))


main()
