"""What the model calls of an answer took."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from seekway.applications.ports import Price
from seekway.applications.records import Cost
from seekway.core.types import Usage

_UNIT: Final = Decimal("0.000001")
_PLACES: Final = Decimal("0.0000001")
"""Money is given to seven places, as Dify does."""


class Tally:
    """Adds up usages; ``seen`` says whether any model gave one."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.cached_tokens = 0
        self.seen = False

    def add(self, usage: Usage) -> None:
        self.seen = True
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.reasoning_tokens += usage.reasoning_tokens
        self.cached_tokens += usage.cached_tokens

    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.completion_tokens, self.cached_tokens, self.reasoning_tokens)

    def cost(self, price: Price | None, latency_s: float) -> Cost:
        """``price`` None: nothing is known of it."""
        latency_s = round(latency_s, 6)
        if price is None:
            return Cost(self.prompt_tokens, self.completion_tokens, latency_s=latency_s)
        prompt, completion = _money(price.prompt), _money(price.completion)
        asked = (self.prompt_tokens * prompt * _UNIT).quantize(_PLACES)
        answered = (self.completion_tokens * completion * _UNIT).quantize(_PLACES)
        return Cost(
            self.prompt_tokens,
            self.completion_tokens,
            _written(prompt),
            _written(completion),
            str(_UNIT),
            _written(asked),
            _written(answered),
            _written(asked + answered),
            price.currency,
            latency_s,
        )


def _money(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"The price {text!r} is no decimal number.") from error


def _written(value: Decimal) -> str:
    """Without an exponent and without zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text
