"""The ``openai`` package's Responses against Seekway."""

from typing import Literal

from harness import CHAT_MODEL, TOOL, URL, check, main
from openai import APIError, OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, ConfigDict, TypeAdapter

client = OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0, timeout=100)
plain = OpenAI(base_url=URL, api_key="none", max_retries=0, timeout=100)
event_type = TypeAdapter(ResponseStreamEvent)

FUNCTION = {"type": "function", "strict": True, **TOOL["function"]}
NAMED = {"type": "function", "name": "get_weather"}
WEATHER = {"role": "user", "content": "What is the weather in Paris in degrees Celsius?"}


class Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: Literal["yes", "no"]
    sure: bool


def members(**more):
    asked = "Tell me in one sentence what the sea looks like."
    return {"model": CHAT_MODEL, "input": asked, "max_output_tokens": 24, "temperature": 0, **more}


def create(**more):
    """The answer, after the package's own types have judged every member of it."""
    raw = client.responses.with_raw_response.create(**members(**more))
    Response.model_validate_json(raw.http_response.content)
    return raw.parse()


def answer(response):
    return {
        "id": response.id,
        "object": response.object,
        "status": response.status,
        "store": response.store,
        "text": response.output_text,
        "kinds": [item.type for item in response.output],
        "incomplete": response.incomplete_details and response.incomplete_details.reason,
        "usage": response.usage.model_dump(),
    }


def streamed(**more):
    """Every event of a stream, judged; what it raised stands beside what had come."""
    seen = {"kinds": [], "deltas": [], "reasoning": [], "arguments": [], "numbers": []}
    try:
        for event in client.responses.create(stream=True, **members(**more)):
            event_type.validate_python(event.to_dict())
            seen["kinds"].append(event.type)
            seen["numbers"].append(event.sequence_number)
            match event.type:
                case "response.output_text.delta":
                    seen["deltas"].append(event.delta)
                case "response.reasoning_text.delta":
                    seen["reasoning"].append(event.delta)
                case "response.function_call_arguments.delta":
                    seen["arguments"].append(event.delta)
                case "response.completed" | "response.incomplete":
                    seen["last"] = answer(event.response)
    except APIError as error:
        seen["error"] = {"message": error.message, "code": error.code, "type": type(error).__name__}
    return seen


@check
def text():
    return answer(create())


@check
def base_without_v1():
    return answer(plain.responses.create(**members(max_output_tokens=8)))


@check
def stream():
    return streamed()


@check
def stream_helper():
    with client.responses.stream(**members()) as events:
        kinds = [event.type for event in events]
        return {"kinds": kinds, **answer(events.get_final_response())}


@check
def parse():
    asked = "Is water wet? Answer in JSON with the members answer and sure."
    response = client.responses.parse(**members(input=asked, max_output_tokens=64, text_format=Verdict))
    return {"parsed": response.output_parsed.model_dump()}


@check
def parse_stream():
    asked = "Is water wet? Answer in JSON with the members answer and sure."
    with client.responses.stream(**members(input=asked, max_output_tokens=64, text_format=Verdict)) as events:
        return {"parsed": events.get_final_response().output_parsed.model_dump()}


@check
def tools():
    response = create(input=[WEATHER], tools=[FUNCTION], tool_choice=NAMED, max_output_tokens=64)
    (call,) = [item for item in response.output if item.type == "function_call"]
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "18 C, clear"}
    after = create(input=[WEATHER, *response.output, output], tools=[FUNCTION])
    return {"name": call.name, "arguments": call.arguments, "call_id": call.call_id, "after": answer(after)}


@check
def namespaces():
    town = {"type": "namespace", "name": "town", "description": "About towns.", "tools": [FUNCTION]}
    chosen = {**NAMED, "namespace": "town"}
    response = create(input=[WEATHER], tools=[town], tool_choice=chosen, max_output_tokens=64)
    (call,) = [item for item in response.output if item.type == "function_call"]
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "18 C, clear"}
    after = create(input=[WEATHER, *response.output, output], tools=[town])
    return {"name": call.name, "namespace": call.namespace, "tool": response.tools[0].type, "after": answer(after)}


@check
def tools_streamed():
    return streamed(input=[WEATHER], tools=[FUNCTION], tool_choice=NAMED, max_output_tokens=64)


@check
def tools_helper():
    wanted = members(input=[WEATHER], tools=[FUNCTION], tool_choice=NAMED, max_output_tokens=64)
    with client.responses.stream(**wanted) as events:
        (call,) = [item for item in events.get_final_response().output if item.type == "function_call"]
        return {"name": call.name, "arguments": call.arguments}


@check
def reasoning():
    response = create(reasoning={"effort": "high"}, include=["reasoning.encrypted_content"])
    found = [item for item in response.output if item.type == "reasoning"]
    return {
        "texts": ["".join(part.text for part in item.content) for item in found],
        "encrypted": [bool(item.encrypted_content) for item in found],
        **answer(response),
    }


@check
def reasoning_sent_back():
    """Only what a client is told to keep: the item without its content."""
    wanted = {"tools": [FUNCTION], "include": ["reasoning.encrypted_content"], "store": False}
    response = create(input=[WEATHER], **wanted)
    items = [item.to_dict() for item in response.output]
    for item in items:
        item.pop("content", None)
    call_id = next(item["call_id"] for item in items if item["type"] == "function_call")
    output = {"type": "function_call_output", "call_id": call_id, "output": "18 C, clear"}
    return answer(create(input=[WEATHER, *items, output], **wanted))


@check
def reasoning_forgotten():
    response = create(input=[WEATHER], tools=[FUNCTION])
    items = [item for item in response.output if item.type != "reasoning"]
    call_id = next(item.call_id for item in items if item.type == "function_call")
    output = {"type": "function_call_output", "call_id": call_id, "output": "18 C, clear"}
    return answer(create(input=[WEATHER, *items, output], tools=[FUNCTION]))


@check
def length():
    return answer(create(max_output_tokens=3))


@check
def cut_stream():
    return streamed(input="break off")


@check
def cut_answer():
    return answer(create(input="break off"))


@check
def unknown_model():
    return answer(create(model="no-such-model"))


@check
def bad_parameter():
    return answer(create(temperature=9))


@check
def previous_response():
    return answer(create(previous_response_id="resp_1"))


@check
def background():
    return answer(create(background=True))


@check
def built_in_tool():
    return answer(create(tools=[{"type": "web_search"}]))


main()
