"""dify-client-python, whose models are the strictest: every call of applications, in both of its clients."""

import asyncio

from dify_client import AsyncClient, Client, errors, models
from harness import URL, check, main

BASE = f"{URL}/v1"
BLOCKING, STREAMING = models.ResponseMode.BLOCKING, models.ResponseMode.STREAMING
helper, writer, agent, thinker, breaker = (
    Client(api_key=f"app-{name}", api_base=BASE) for name in ("helper", "writer", "agent", "thinker", "breaker")
)


def question(mode, **more):
    return models.ChatRequest(query="Hi", inputs={}, user="ann", response_mode=mode, **more)


def streamed(client, request):
    found = list(client.chat_messages(request))
    return {"kinds": [type(one).__name__ for one in found], "events": [one.model_dump() for one in found]}


def refused(ask):
    try:
        ask()
    except errors.DifyAPIError as error:
        return {"kind": type(error).__name__, "status": error.status, "code": error.code, "message": error.message}
    raise RuntimeError("not refused")


@check
def chat():
    return helper.chat_messages(question(BLOCKING)).model_dump()


@check
def chat_stream():
    return streamed(helper, question(STREAMING))


@check
def agent_stream():
    return streamed(agent, question(STREAMING))


@check
def thinker_stream():
    return streamed(thinker, question(STREAMING))


@check
def completion():
    request = models.CompletionRequest(inputs={"query": "Hi"}, user="ann", response_mode=BLOCKING)
    return writer.completion_messages(request).model_dump()


@check
def completion_stream():
    request = models.CompletionRequest(inputs={"query": "Hi"}, user="ann", response_mode=STREAMING)
    return {"events": [one.model_dump() for one in writer.completion_messages(request)]}


@check
def around():
    message = helper.chat_messages(question(BLOCKING)).message_id
    file = ("a.txt", b"bytes", "text/plain")
    rating = models.FeedbackRequest(rating=models.Rating.LIKE, user="ann")
    return {
        "suggested": helper.suggest_messages(message, models.ChatSuggestRequest(user="ann")).model_dump(),
        "feedback": helper.feedback_messages(message, rating).model_dump(),
        "withdrawn": helper.feedback_messages(message, models.FeedbackRequest(user="ann")).model_dump(),
        "upload": helper.upload_files(file, models.UploadFileRequest(user="ann")).model_dump(),
        "stop": helper.stop_chat_messages("t", models.StopRequest(user="ann")).model_dump(),
        "stop_completion": writer.stop_completion_messages("t", models.StopRequest(user="ann")).model_dump(),
    }


@check
def refusals():
    request = models.WorkflowsRunRequest(inputs={}, user="ann", response_mode=BLOCKING)
    speech = models.TextToAudioRequest(text="Hi", user="ann")
    hearing = models.AudioToTextRequest(user="ann")
    return {
        "agent_blocking": refused(lambda: agent.chat_messages(question(BLOCKING))),
        "not_chat": refused(lambda: writer.chat_messages(question(BLOCKING))),
        "unknown_conversation": refused(
            lambda: helper.chat_messages(question(BLOCKING, conversation_id="00000000-0000-0000-0000-000000000007"))
        ),
        "wrong_key": refused(lambda: Client(api_key="dataset-x", api_base=BASE).chat_messages(question(BLOCKING))),
        "workflow": refused(lambda: helper.run_workflows(request)),
        "workflow_stop": refused(lambda: helper.stop_workflows("t", models.StopRequest(user="ann"))),
        "text_to_audio": refused(lambda: helper.text_to_audio(speech)),
        "audio_to_text": refused(lambda: helper.audio_to_text(("a.mp3", b"x", "audio/mpeg"), hearing)),
        "streaming": refused(lambda: list(writer.chat_messages(question(STREAMING)))),
    }


@check
def breaks_off():
    return streamed(breaker, question(STREAMING))


@check
def asynchronous():
    async def run():
        client = AsyncClient(api_key="app-helper", api_base=BASE)
        whole = await client.achat_messages(question(BLOCKING))
        events = [one async for one in await client.achat_messages(question(STREAMING))]
        return {"answer": whole.answer, "events": [one.model_dump() for one in events]}

    return asyncio.run(run())


main()
