"""dify-client (Dify's own of PyPI): every call it has."""

import json

from dify_client import ChatClient, CompletionClient, DifyClient
from harness import URL, check, main


def made(kind, key):
    client = kind(key)
    client.base_url = f"{URL}/v1"
    return client


chat = made(ChatClient, "app-helper")
writer = made(CompletionClient, "app-writer")
plain = made(DifyClient, "app-helper")


def told(response):
    return {"status": response.status_code, "body": response.json() if response.content else None}


def events(response):
    lines = [line for line in response.iter_lines() if line]
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


def asked(query="Hi"):
    return chat.create_chat_message({}, query, "ann").json()


@check
def whole():
    return told(chat.create_chat_message({}, "Hi", "ann"))


@check
def stream():
    return {"events": events(chat.create_chat_message({}, "Hi", "ann", response_mode="streaming"))}


@check
def completion():
    return told(writer.create_completion_message({"query": "Hi"}, "blocking", "ann"))


@check
def completion_stream():
    return {"events": events(writer.create_completion_message({"query": "Hi"}, "streaming", "ann"))}


@check
def conversation():
    first = asked()["conversation_id"]
    chat.create_chat_message({}, "And?", "ann", conversation_id=first)
    return {
        "messages": told(chat.get_conversation_messages("ann", first, limit=10)),
        "conversations": told(chat.get_conversations("ann", limit=10, pinned=False)),
        "renamed": told(chat.rename_conversation(first, "Mine", "ann")),
    }


@check
def feedback():
    return told(plain.message_feedback(asked()["id"], "like", "ann"))


@check
def parameters():
    return told(plain.get_application_parameters("ann"))


@check
def upload():
    return told(plain.file_upload("ann", {"file": ("a.txt", b"bytes", "text/plain")}))


@check
def wrong_key():
    return told(made(ChatClient, "dataset-x").create_chat_message({}, "Hi", "ann"))


main()
