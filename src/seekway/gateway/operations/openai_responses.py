"""OpenAI's Responses."""

from __future__ import annotations

from seekway.gateway.dialects.openai_errors import OPENAI_ERRORS
from seekway.gateway.dialects.openai_responses import read_response_request
from seekway.gateway.dialects.openai_responses_answer import ResponsesCollector, ResponsesStream
from seekway.gateway.encoder import Encoder
from seekway.gateway.model_call import ModelCall
from seekway.gateway.operations.answer_head import answer_head, new_id
from seekway.pipeline.exchange import Exchange


class Responses:
    """A response, streamed or whole. Nothing is kept: send the earlier items again to go on."""

    name = "responses"
    errors = OPENAI_ERRORS

    def open(self, call: ModelCall, path: str, body: bytes) -> None:
        # OpenAI writes these ids with an underscore, the older ones with a hyphen.
        request, delivery = read_response_request(body, new_id("resp").replace("-", "_"))

        def encoder(exchange: Exchange) -> Encoder:
            head = answer_head(request.id, exchange, "response")
            return ResponsesStream(head, delivery) if delivery.stream else ResponsesCollector(head, delivery)

        call.generate(request, encoder)
