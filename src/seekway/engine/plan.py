"""What a request becomes: a prompt in tokens, sampling, a constraint, and how its output is to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import msgspec

from seekway.core.errors import ContextLengthExceeded, InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import GenerateRequest, Sampling
from seekway.engine.base import Constraint, Engine, TokenRequest
from seekway.engine.chat_template import ChatTemplate, Prompt
from seekway.engine.conversation import text_of
from seekway.engine.fim import FimTokens, require_fim
from seekway.engine.gguf.tokenizer import TextTokenizer
from seekway.engine.json_format import check_tools, response_constraint, tools_constraint
from seekway.engine.output import Output
from seekway.engine.reasoning import CLOSE, OPEN, ReasoningSplitter
from seekway.engine.tool_calls import ToolParser, tool_parser
from seekway.engine.tool_formats import MARKERS

_P = ParamSpec("_P")
_R = TypeVar("_R")

_LONG_TEXT: Final = 8192
_DEFAULT_MAX_TOKENS: Final = 8192
_NO_TEMPERATURE: Final = 1e-4
_NO_SHARE: Final = 1e-6
_DEFAULT_MAX_TOKENS_THINKING: Final = 65536


class SamplingDefaults(msgspec.Struct, frozen=True):
    """What holds where the request says nothing: the file's ``general.sampling.*``, else no change to the distribution."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0


class RequestPlan:
    """A request ready to run.

    ``after_thinking`` is the constraint on the answer of a model that thinks first: ``tokens`` then carries none, and
    :meth:`continued` makes the second pass, which the engine's prefix cache keeps cheap.
    """

    def __init__(
        self, tokens: TokenRequest, output: Output, *, echo: str = "", after_thinking: Constraint | None = None
    ) -> None:
        self.tokens = tokens
        self.output = output
        self.echo = echo
        self.after_thinking = after_thinking

    def continued(self, thought: tuple[int, ...]) -> RequestPlan | None:
        """The pass after the reasoning ``thought``; None when no token is left for it."""
        left = self.tokens.max_tokens - len(thought)
        if left < 1:
            return None
        tokens = msgspec.structs.replace(
            self.tokens, prompt=self.tokens.prompt + thought, max_tokens=left, constraint=self.after_thinking
        )
        return RequestPlan(tokens, self.output)


class Planner:
    """Plans requests for one model; long texts are rendered and tokenized off the loop."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: TextTokenizer,
        template: ChatTemplate | None,
        fim: FimTokens | None,
        defaults: SamplingDefaults,
    ) -> None:
        self.tokenizer = tokenizer
        self._engine = engine
        self._template = template
        self._fim = fim
        self._defaults = defaults
        visible = {tokenizer.special_id(text) for text in (OPEN, CLOSE, *MARKERS)}
        self._hidden = tokenizer.control_ids - visible
        self._stop_ids = tokenizer.end_ids

    async def plan(self, request: GenerateRequest) -> RequestPlan:
        """Raises the ``RequestError`` that says what is wrong with ``request``."""
        self._check_logprobs(request.sampling)
        if request.messages or request.prompt is None:
            return await self._plan_chat(request)
        return await self._plan_completion(request, request.prompt)

    async def count(self, request: GenerateRequest) -> int:
        """The length of the chat prompt that :meth:`plan` would make, also where it leaves no room for an answer.

        Raises ``ContextLengthExceeded`` for a text that is too long to be worth counting.
        """
        template = self._chat_template()
        constraint, _ = self._constrain(request)
        _, ids = await self._prompt(template, request, constrained=constraint is not None)
        return len(ids)

    async def _plan_chat(self, request: GenerateRequest) -> RequestPlan:
        template = self._chat_template()
        constraint, forced = self._constrain(request)
        prompt, ids = await self._prompt(template, request, constrained=constraint is not None)
        shown = request.tools if request.tool_choice.mode != "none" else ()
        output = self._output(
            request,
            splitter=ReasoningSplitter(opened=prompt.thinking, expected=prompt.reasoning_expected),
            parser=tool_parser(template.format.name, shown, forced=forced) if shown else None,
        )
        if constraint is not None and prompt.thinking:
            tokens = self._tokens(request, ids, None, thinking=True)
            return RequestPlan(tokens, output, after_thinking=constraint)
        return RequestPlan(self._tokens(request, ids, constraint, thinking=prompt.reasoning_expected), output)

    def _chat_template(self) -> ChatTemplate:
        if self._template is None:
            raise UnsupportedParameter(
                "This model has no chat template; use completions with a prompt.", param="messages"
            )
        return self._template

    async def _prompt(
        self, template: ChatTemplate, request: GenerateRequest, *, constrained: bool
    ) -> tuple[Prompt, list[int]]:
        thinking = _thinking(request)
        if thinking is None and constrained and template.traits.reasons:
            thinking = False
        size = self._size(request)
        self._refuse_hopeless(size, "messages")
        return await _off_loop(size, self._render, template, request, thinking)

    def _render(
        self, template: ChatTemplate, request: GenerateRequest, thinking: bool | None
    ) -> tuple[Prompt, list[int]]:
        prompt = template.render(request, thinking=thinking)
        wants_json = request.response_format.type != "text"
        if thinking and wants_json and prompt.reasoning_expected and not prompt.thinking:
            # The answer is constrained only after the reasoning, so the reasoning must be sure to come.
            prompt = Prompt(f"{prompt.text}{OPEN}\n", thinking=True, reasoning_expected=True, mark=prompt.mark)
        return prompt, self.tokenizer.encode(prompt.text, add_bos=True, mark=prompt.mark)

    def _constrain(self, request: GenerateRequest) -> tuple[Constraint | None, bool]:
        """The constraint on the answer, and whether it forces a tool call."""
        check_tools(request.tools)
        form = response_constraint(request.response_format)
        forced = tools_constraint(request.tools, request.tool_choice)
        if forced is not None and _thinking(request):
            raise InvalidRequest(
                f"tool_choice {request.tool_choice.mode} cannot be used while thinking; disable thinking or use auto.",
                param="tool_choice",
            )
        if form is not None and request.tools and request.tool_choice.mode != "none":
            raise UnsupportedParameter(
                "response_format and tools cannot be used together with a local model; set tool_choice to none, or leave one out.",
                param="response_format",
            )
        return (forced, True) if forced is not None else (form, False)

    async def _plan_completion(self, request: GenerateRequest, prompt: str | tuple[int, ...]) -> RequestPlan:
        constraint = response_constraint(request.response_format)
        stop_ids = frozenset[int]()
        if isinstance(prompt, tuple):
            if request.suffix:
                raise InvalidRequest("suffix needs a prompt in text, not in tokens.", param="suffix")
            n_vocab = self.tokenizer.n_vocab
            if not all(0 <= token < n_vocab for token in prompt):
                raise InvalidParameter(f"prompt has a token id outside 0 to {n_vocab - 1}.", param="prompt")
            ids = list(prompt)
            echo = b"".join(map(self.tokenizer.token_bytes, ids)).decode("utf-8", "replace") if request.echo else ""
        elif request.suffix:
            fim = require_fim(self._fim)
            stop_ids = fim.ends
            size = len(prompt) + len(request.suffix)
            self._refuse_hopeless(size, "prompt")
            ids = await _off_loop(size, fim.prompt, self.tokenizer, prompt, request.suffix)
            echo = prompt if request.echo else ""
        else:
            self._refuse_hopeless(len(prompt), "prompt")
            ids = await _off_loop(len(prompt), self._encode, prompt)
            echo = prompt if request.echo else ""
        output = self._output(request, splitter=None, parser=None)
        tokens = self._tokens(request, ids, constraint, thinking=False)
        if stop_ids:
            tokens = msgspec.structs.replace(tokens, stop_token_ids=tokens.stop_token_ids | stop_ids)
        return RequestPlan(tokens, output, echo=echo)

    def _encode(self, text: str) -> list[int]:
        """A raw prompt stays as the client wrote it: who sends one writes the model's own format, special tokens included."""
        return self.tokenizer.encode(text, add_bos=True)

    def _output(
        self, request: GenerateRequest, *, splitter: ReasoningSplitter | None, parser: ToolParser | None
    ) -> Output:
        return Output(
            self.tokenizer,
            hidden=self._hidden,
            splitter=splitter,
            parser=parser,
            stops=request.sampling.stop,
            logprobs=request.sampling.top_logprobs is not None,
        )

    def _tokens(
        self, request: GenerateRequest, ids: list[int], constraint: Constraint | None, *, thinking: bool
    ) -> TokenRequest:
        sampling, defaults = request.sampling, self._defaults
        temperature = _or(sampling.temperature, defaults.temperature)
        top_p = _or(sampling.top_p, defaults.top_p)
        min_p = _or(sampling.min_p, defaults.min_p)
        # What leaves only the likeliest token is greedy; engines count in float32 and refuse some of these values.
        if temperature < _NO_TEMPERATURE or top_p < _NO_SHARE or min_p > 1 - _NO_SHARE:
            temperature, top_p, min_p = 0.0, 1.0, 0.0
        return TokenRequest(
            id=request.id,
            prompt=tuple(ids),
            max_tokens=self._max_tokens(len(ids), sampling.max_tokens, thinking=thinking),
            temperature=temperature,
            top_p=top_p,
            top_k=sampling.top_k if sampling.top_k is not None else defaults.top_k,
            min_p=min_p,
            frequency_penalty=_or(sampling.frequency_penalty, 0.0),
            presence_penalty=_or(sampling.presence_penalty, 0.0),
            seed=sampling.seed,
            stop_token_ids=self._stop_ids,
            logprobs=sampling.top_logprobs,
            constraint=constraint,
        )

    def _max_tokens(self, prompt: int, asked: int | None, *, thinking: bool) -> int:
        limit = self._engine.context_length
        if prompt == 0:
            raise InvalidRequest("The prompt is empty; send some text.", param="prompt")
        if prompt >= limit:
            raise ContextLengthExceeded(
                f"This model's context is {limit} tokens and the prompt has {prompt}, which leaves none for the answer; shorten it.",
                param="messages",
            )
        if asked is not None and asked < 1:
            raise InvalidParameter("max_tokens must be at least 1.", param="max_tokens")
        default = _DEFAULT_MAX_TOKENS_THINKING if thinking else _DEFAULT_MAX_TOKENS
        return min(limit - prompt, asked if asked is not None else default)

    def _refuse_hopeless(self, characters: int, param: str) -> None:
        """Megabytes take seconds to tokenize; what cannot fit by its length alone is refused before."""
        limit, least = self._engine.context_length, self.tokenizer.least_tokens(characters)
        if least >= limit:
            raise ContextLengthExceeded(
                f"This model's context is {limit} tokens and the prompt's {characters} characters are at least {least}; shorten it.",
                param=param,
            )

    def _check_logprobs(self, sampling: Sampling) -> None:
        most = self._engine.max_top_logprobs
        if sampling.top_logprobs is not None and sampling.top_logprobs > most:
            able = f"at most {most}" if most else "only logprobs without top_logprobs"
            raise UnsupportedParameter(
                f"top_logprobs {sampling.top_logprobs}: the {self._engine.name} engine gives {able}; "
                'serve the model with engine = "llamacpp" for more.',
                param="top_logprobs",
            )

    @staticmethod
    def _size(request: GenerateRequest) -> int:
        return sum(len(text_of(message.content)) for message in request.messages)


def _thinking(request: GenerateRequest) -> bool | None:
    enabled, effort = request.thinking.enabled, request.thinking.effort
    return False if enabled is None and effort == "none" else enabled


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


async def _off_loop(size: int, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Run ``work`` here when the text is short, on a thread when it would hold up other streams."""
    if size < _LONG_TEXT:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
