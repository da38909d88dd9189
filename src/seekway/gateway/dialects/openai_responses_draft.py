"""An answer of ``POST /responses`` while it grows: which output item each event belongs to, and the response as it then stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec
from msgspec import UNSET, UnsetType

from seekway.core.errors import Overloaded, SeekwayError, StreamInterrupted, error_from_code
from seekway.core.types import (
    ErrorEvent,
    Finish,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from seekway.gateway.dialects.openai_chat_answer import AnswerHead
from seekway.gateway.dialects.openai_responses import ResponsesDelivery
from seekway.gateway.dialects.openai_responses_object import (
    FunctionCallItem,
    IncompleteDetails,
    ItemStatus,
    MessageItem,
    OutputItem,
    OutputText,
    ReasoningItem,
    ReasoningText,
    ResponseLogprob,
    ResponseObject,
    ResponseTopLogprob,
    response_error,
    response_usage,
)
from seekway.gateway.dialects.openai_responses_reasoning import wrap


class DraftItem:
    """One output item; ``index`` is its place in the output."""

    prefix = ""

    def __init__(self, index: int, of_answer: str) -> None:
        self.index = index
        self.id = f"{self.prefix}_{of_answer}_{index}"
        self.pieces: list[str] = []
        self.status: ItemStatus = "in_progress"

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class DraftMessage(DraftItem):
    prefix = "msg"

    def __init__(self, index: int, of_answer: str) -> None:
        super().__init__(index, of_answer)
        self.logprobs: list[ResponseLogprob] = []

    def part(self) -> OutputText:
        return OutputText(self.text, logprobs=tuple(self.logprobs))

    def empty(self) -> MessageItem:
        return MessageItem(self.id, "in_progress", ())

    def item(self) -> MessageItem:
        return MessageItem(self.id, self.status, (self.part(),))


class DraftReasoning(DraftItem):
    prefix = "rs"

    def part(self) -> ReasoningText:
        return ReasoningText(self.text)

    def empty(self) -> ReasoningItem:
        return ReasoningItem(self.id, "in_progress", ())

    def item(self, *, wrapped: bool) -> ReasoningItem:
        return ReasoningItem(
            self.id, self.status, (self.part(),), encrypted_content=wrap(self.text) if wrapped else UNSET
        )


class DraftCall(DraftItem):
    prefix = "fc"

    def __init__(self, index: int, of_answer: str, call_id: str, name: str, namespace: str | UnsetType = UNSET) -> None:
        super().__init__(index, of_answer)
        self.call_id = call_id
        self.name = name
        self.namespace = namespace

    def empty(self) -> FunctionCallItem:
        return FunctionCallItem(self.id, "in_progress", "", self.call_id, self.name, self.namespace)

    def item(self) -> FunctionCallItem:
        return FunctionCallItem(self.id, self.status, self.text, self.call_id, self.name, self.namespace)


AnyDraft = DraftMessage | DraftReasoning | DraftCall


class Draft:
    """``open`` is the message or reasoning that grows; calls stay open to the end, since their pieces may come in turns.

    ``clock`` is in Unix seconds.
    """

    def __init__(self, head: AnswerHead, delivery: ResponsesDelivery, clock: Callable[[], float] = time.time) -> None:
        self._suffix = head.id.rpartition("_")[2]
        self._namespaced = delivery.namespaced
        self._wrapped = delivery.encrypted_reasoning
        self._clock = clock
        self._response = ResponseObject(
            **msgspec.structs.asdict(delivery.echo),
            id=head.id,
            created_at=head.created,
            model=head.model,
            status="in_progress",
        )
        self._calls: dict[int, DraftCall] = {}
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._failure: ErrorEvent | None = None
        self.items: list[AnyDraft] = []
        self.open: DraftMessage | DraftReasoning | None = None
        self._last: AnyDraft | None = None

    def text(self, event: TextDelta) -> DraftMessage | None:
        """The item that ``event`` belongs to; None for an empty delta, which begins nothing."""
        if not event.text and not event.logprobs:
            return None
        item = self.open
        if not isinstance(item, DraftMessage):
            item = self.open = DraftMessage(len(self.items), self._suffix)
            self.items.append(item)
        self._last = item
        item.pieces.append(event.text)
        if event.logprobs:
            item.logprobs += response_logprobs(event.logprobs)
        return item

    def reasoning(self, event: ReasoningDelta) -> DraftReasoning | None:
        if not event.text:
            return None
        item = self.open
        if not isinstance(item, DraftReasoning):
            item = self.open = DraftReasoning(len(self.items), self._suffix)
            self.items.append(item)
        self._last = item
        item.pieces.append(event.text)
        return item

    def call(self, event: ToolCallDelta) -> DraftCall:
        item = self._calls.get(event.index)
        if item is None:
            name = event.name or ""
            namespace, own = self._namespaced.get(name, (UNSET, name))
            item = DraftCall(len(self.items), self._suffix, event.id or "", own, namespace)
            self._calls[event.index] = item
            self.items.append(item)
        self.open = None
        self._last = item
        item.pieces.append(event.arguments)
        return item

    def replace(self, text: str) -> None:
        """Withdraw all items; a message of ``text`` is what is left."""
        self.items.clear()
        self._calls.clear()
        self.open = None
        self.text(TextDelta(text))

    def note(self, event: Usage | Finish | ErrorEvent) -> None:
        match event:
            case Usage():
                self._usage = event
            case Finish():
                self._finish = event
            case ErrorEvent():
                self._failure = event

    def item(self, draft: AnyDraft) -> OutputItem:
        return draft.item(wrapped=self._wrapped) if isinstance(draft, DraftReasoning) else draft.item()

    def begun(self) -> ResponseObject:
        return self._response

    def finished(self) -> ResponseObject:
        """Completed or incomplete; raises a ``SeekwayError`` where the answer is not whole, so that nothing says that it is."""
        if self._failure is not None:
            raise error_from_code(self._failure.code, self._failure.message, param=self._failure.param)
        if self._finish is None or self._usage is None:
            raise StreamInterrupted("The model's answer broke off before its end; send the request again.")
        match self._finish.reason:
            case "length":
                return self._ended(IncompleteDetails("max_output_tokens"))
            case "content_filter":
                return self._ended(IncompleteDetails("content_filter"))
            case "insufficient_system_resource":
                raise Overloaded("The model ran out of resources in the middle of its answer; send the request again.")
            case "aborted":
                raise StreamInterrupted("The model's answer was broken off; send the request again.")
            case "stop" | "tool_calls":
                return self._ended(None)

    def failed(self, error: SeekwayError) -> ResponseObject:
        for item in self.items:
            if item.status == "in_progress":
                item.status = "incomplete"
        return msgspec.structs.replace(
            self._response,
            status="failed",
            output=tuple(map(self.item, self.items)),
            usage=None if self._usage is None else response_usage(self._usage),
            error=response_error(error),
        )

    def _ended(self, incomplete: IncompleteDetails | None) -> ResponseObject:
        for item in self.items:
            if item.status == "in_progress":
                # Only what was being written when the limit came is cut off.
                cut = incomplete is not None and item is self._last
                item.status = "incomplete" if cut else "completed"
        return msgspec.structs.replace(
            self._response,
            status="completed" if incomplete is None else "incomplete",
            completed_at=int(self._clock()) if incomplete is None else None,
            output=tuple(map(self.item, self.items)),
            usage=None if self._usage is None else response_usage(self._usage),
            incomplete_details=incomplete,
        )


def response_logprobs(tokens: Iterable[TokenLogprob]) -> tuple[ResponseLogprob, ...]:
    return tuple(
        ResponseLogprob(
            token.token,
            token.logprob,
            token.bytes,
            tuple(ResponseTopLogprob(top.token, top.logprob, top.bytes) for top in token.top),
        )
        for token in tokens
    )
