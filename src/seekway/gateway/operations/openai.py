"""OpenAI's and DeepSeek's chat and completions."""

from __future__ import annotations

from seekway.gateway.dialects.openai_chat import read_chat
from seekway.gateway.dialects.openai_chat_answer import ChatCollector, ChatStream
from seekway.gateway.dialects.openai_completions import CompletionCollector, CompletionStream, read_completion
from seekway.gateway.dialects.openai_errors import OPENAI_ERRORS
from seekway.gateway.encoder import Encoder
from seekway.gateway.model_call import ModelCall
from seekway.gateway.operations.answer_head import answer_head, new_id
from seekway.pipeline.exchange import Exchange


class Chat:
    """A chat, streamed or whole. A last assistant message with `prefix: true` is continued."""

    name = "chat"
    errors = OPENAI_ERRORS

    def open(self, call: ModelCall, path: str, body: bytes) -> None:
        request, delivery = read_chat(body, new_id("chatcmpl"))

        def encoder(exchange: Exchange) -> Encoder:
            if delivery.stream:
                return ChatStream(answer_head(request.id, exchange, "chat.completion.chunk"), delivery)
            return ChatCollector(answer_head(request.id, exchange, "chat.completion"))

        call.generate(request, encoder)


class Completions:
    """A raw completion; with `suffix`, the middle between `prompt` and `suffix` is filled in."""

    name = "text_completion"
    errors = OPENAI_ERRORS

    def open(self, call: ModelCall, path: str, body: bytes) -> None:
        request, delivery = read_completion(body, new_id("cmpl"), beta=path.startswith("/beta/"))

        def encoder(exchange: Exchange) -> Encoder:
            head = answer_head(request.id, exchange, "text_completion")
            return CompletionStream(head, delivery) if delivery.stream else CompletionCollector(head)

        call.generate(request, encoder)
