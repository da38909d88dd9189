"""dify-oapi2: every call of the chat, completion and general parts."""

import importlib
import json
from io import BytesIO

from dify_oapi.client import Client
from dify_oapi.core.model.request_option import RequestOption
from harness import URL, check, main

client = Client.builder().domain(URL).max_retry_count(0).build()
chat, writer, general = client.chat.v1, client.completion.v1, client.dify.v1
HELPER, WRITER = (RequestOption.builder().api_key(key).build() for key in ("app-helper", "app-writer"))
CHAT, WRITE, PLAIN = "chat.v1.model.", "completion.v1.model.completion.", "dify.v1.model."
HAND = "completion.v1.model.annotation."


def built(place, kind, /, **values):
    """A class of the package by its own name; each has a module."""
    module = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("_")
    module = "message_history_request" if kind == "GetMessageHistoryRequest" else module
    builder = getattr(importlib.import_module(f"dify_oapi.api.{place}{module}"), kind).builder()
    for field, value in values.items():
        builder = getattr(builder, field)(*value) if isinstance(value, tuple) else getattr(builder, field)(value)
    return builder.build()


def asked(call, place, kind, /, body=None, option=HELPER, body_kind=None, **path):
    """The answer, as the package and as it came, with its status."""
    if body is not None:
        path["request_body"] = built(place, body_kind or f"{kind}RequestBody", **body)
    answer = call(built(place, f"{kind}Request", **path), option)
    body = json.loads(answer.raw.content) if answer.raw.content else None
    return {"status": answer.raw.status_code, "body": body}


def question(**more):
    return {"query": "Hi", "inputs": {}, "user": "ann", "response_mode": "blocking", **more}


def whole(**more):
    return asked(chat.chat.chat, CHAT, "Chat", question(**more))


def events(pieces):
    blocks = b"".join(pieces).decode().split("\n\n")
    return [json.loads(block.removeprefix("data: ")) for block in blocks if block]


@check
def answered():
    return whole()


@check
def streamed():
    request = built(
        CHAT, "ChatRequest", request_body=built(CHAT, "ChatRequestBody", **question(response_mode="streaming"))
    )
    return {"events": events(chat.chat.chat(request, HELPER, stream=True))}


@check
def completion():
    body = {"inputs": {"query": "Hi"}, "user": "ann", "response_mode": "blocking"}
    stopped = asked(writer.completion.stop_response, WRITE, "StopResponse", {"user": "ann"}, WRITER, task_id="t")
    return {
        "answer": asked(writer.completion.send_message, WRITE, "SendMessage", body, WRITER),
        "stopped": stopped,
    }


@check
def conversation():
    made = whole()["body"]
    home, message = made["conversation_id"], made["id"]
    return {
        "history": asked(chat.message.history, CHAT, "GetMessageHistory", conversation_id=home, user="ann"),
        "list": asked(chat.conversation.list, CHAT, "GetConversations", user="ann", limit=5, sort_by="-updated_at"),
        "variables": asked(
            chat.conversation.variables, CHAT, "GetConversationVariables", conversation_id=home, user="ann"
        ),
        "suggested": asked(chat.chat.suggested, CHAT, "GetSuggestedQuestions", message_id=message, user="ann"),
        "stopped": asked(chat.chat.stop, CHAT, "StopChat", {"user": "ann"}, task_id="t"),
        "feedback": asked(
            general.feedback.submit, PLAIN, "SubmitFeedback", {"rating": "like", "user": "ann"}, message_id=message
        ),
        "feedbacks": asked(general.feedback.list, PLAIN, "GetFeedbacks", page=1, limit=5),
        "renamed": asked(
            chat.conversation.rename, CHAT, "RenameConversation", {"name": "Mine", "user": "ann"}, conversation_id=home
        ),
        "deleted": asked(chat.conversation.delete, CHAT, "DeleteConversation", {"user": "ann"}, conversation_id=home),
    }


@check
def annotations():
    pair = {"question": "Why?", "answer": "Because."}
    made = asked(chat.annotation.create, CHAT, "CreateAnnotation", pair)
    name = made["body"]["id"]
    reply = {"embedding_provider_name": "p", "embedding_model_name": "m", "score_threshold": 0.5}
    job = asked(chat.annotation.configure, CHAT, "ConfigureAnnotationReply", reply, action="enable")
    return {
        "made": made,
        "listed": asked(chat.annotation.list, CHAT, "ListAnnotations", page=1, limit=5),
        "listed_by_completion": asked(writer.annotation.list_annotations, HAND, "ListAnnotations", page=1, limit=5),
        "changed": asked(chat.annotation.update, CHAT, "UpdateAnnotation", pair, annotation_id=name),
        "deleted": asked(chat.annotation.delete, CHAT, "DeleteAnnotation", annotation_id=name),
        "job": job,
    }


@check
def around():
    return {
        "info": asked(general.info.get, PLAIN, "GetInfo"),
        "parameters": asked(general.info.parameters, PLAIN, "GetParameters", user="ann"),
        "meta": asked(general.info.meta, PLAIN, "GetMeta"),
        "site": asked(general.info.site, PLAIN, "GetSite"),
        "upload": asked(
            general.file.upload,
            PLAIN,
            "UploadFile",
            {"user": "ann"},
            body_kind="UploadFileBody",
            file=(BytesIO(b"bytes"), "a.txt"),
        ),
    }


main()
