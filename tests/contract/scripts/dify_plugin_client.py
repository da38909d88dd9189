"""Dify's OpenAI-compatible base class, which a stock Dify talks to Seekway through."""

import json

from dify_plugin import OAICompatEmbeddingModel, OAICompatLargeLanguageModel
from dify_plugin.entities.model.message import PromptMessageTool, UserPromptMessage
from harness import CHAT_MODEL, EMBED_MODEL, SCHEMA, TOOL, URL, check, main

CREDENTIALS = {
    "endpoint_url": f"{URL}/v1",
    "api_key": "none",
    "mode": "chat",
    "function_calling_type": "tool_call",
    "stream_function_calling": "supported",
    "context_size": "2048",
}
QUESTION = [UserPromptMessage(content="Tell me in one sentence what the sea looks like.")]
WEATHER = [UserPromptMessage(content="What is the weather in Paris in degrees Celsius?")]
FUNCTION = TOOL["function"]
TOOLS = [
    PromptMessageTool(name=FUNCTION["name"], description=FUNCTION["description"], parameters=FUNCTION["parameters"])
]


class Embeddings(OAICompatEmbeddingModel):
    def _get_num_tokens_by_gpt2(self, text):
        """Estimated here, because the class would fetch GPT-2's vocabulary from the internet before it asks the server."""
        return len(text)


llm = OAICompatLargeLanguageModel([])


def generate(messages, parameters, *, stream, credentials=None, tools=None, stop=None):
    return llm._generate(
        CHAT_MODEL,
        credentials or dict(CREDENTIALS),
        messages,
        parameters,
        tools=tools,
        stop=stop,
        stream=stream,
        user="u1",
    )


def answer(result):
    return {
        "text": result.message.content,
        "calls": [call.model_dump() for call in result.message.tool_calls],
        "usage": {"prompt_tokens": result.usage.prompt_tokens, "completion_tokens": result.usage.completion_tokens},
    }


def collected(chunks):
    pieces, finishes, usages, calls = [], [], [], []
    for chunk in chunks:
        if chunk.delta.message.content:
            pieces.append(chunk.delta.message.content)
        calls += [call.model_dump() for call in chunk.delta.message.tool_calls]
        if chunk.delta.finish_reason:
            finishes.append(chunk.delta.finish_reason)
        if chunk.delta.usage:
            usage = chunk.delta.usage
            usages.append({"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens})
    return {"pieces": pieces, "finishes": finishes, "usages": usages, "calls": calls}


@check
def credentials():
    llm.validate_credentials(CHAT_MODEL, dict(CREDENTIALS))
    llm.validate_credentials(CHAT_MODEL, {**CREDENTIALS, "stream_mode_auth": "use"})
    llm.validate_credentials(CHAT_MODEL, {**CREDENTIALS, "endpoint_url": URL})
    return {"valid": True}


@check
def completion_credentials():
    llm.validate_credentials(CHAT_MODEL, {**CREDENTIALS, "mode": "completion"})
    return {"valid": True}


@check
def chat():
    return answer(generate(QUESTION, {"max_tokens": 24, "temperature": 0.01}, stream=False))


@check
def stream():
    parameters = {"max_tokens": 24, "temperature": 0.01, "stream_options": {"include_usage": True}}
    return collected(generate(QUESTION, parameters, stream=True))


@check
def stream_without_options():
    return collected(generate(QUESTION, {"max_tokens": 24}, stream=True))


@check
def thinking_switches():
    parameters = {
        "max_tokens": 8,
        "thinking": {"type": "disabled"},
        "enable_thinking": False,
        "chat_template_kwargs": {"enable_thinking": False, "thinking": False},
    }
    return answer(generate(QUESTION, parameters, stream=False))


@check
def tools():
    return {
        "auto": answer(generate(WEATHER, {"max_tokens": 64}, stream=False, tools=TOOLS)),
        "auto_streamed": collected(generate(WEATHER, {"max_tokens": 64}, stream=True, tools=TOOLS)),
    }


@check
def json_mode():
    schema = json.dumps({"name": "verdict", "schema": SCHEMA, "strict": True})
    parameters = {"max_tokens": 64, "response_format": "json_schema", "json_schema": schema}
    return answer(generate([UserPromptMessage(content="Is water wet? Answer in JSON.")], parameters, stream=False))


@check
def embeddings():
    result = Embeddings([])._invoke(
        EMBED_MODEL, {"endpoint_url": f"{URL}/v1", "api_key": "none", "context_size": "512"}, ["a cat"]
    )
    return {"vector": result.embeddings[0]}


@check
def unknown_model():
    llm.validate_credentials("no-such-model", dict(CREDENTIALS))
    return {"valid": True}


main()
