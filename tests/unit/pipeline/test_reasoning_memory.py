"""Reasoning is kept within its bounds, and comes back for the same call of the same tenant only."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.sections.reasoning import ReasoningSettings
from seekway.core.types import ToolCall
from seekway.pipeline.caller import ANONYMOUS, Caller
from seekway.pipeline.reasoning_memory import LocalReasoningMemory, call_key

CALL = ToolCall("call_1", "search", '{"a": 1, "b": [2.5]}')


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def memory(clock: Clock | None = None, **settings: float) -> LocalReasoningMemory:
    given = {"max_answers": 3, "max_mib": 1, "ttl_s": 60.0} | settings
    return LocalReasoningMemory(
        ReasoningSettings(
            max_answers=int(given["max_answers"]), max_mib=int(given["max_mib"]), ttl_s=float(given["ttl_s"])
        ),
        clock or Clock(),
    )


def key(name: str) -> bytes:
    return call_key(ANONYMOUS, ToolCall(name, "f", "{}"))


def known(kept: LocalReasoningMemory, names: str) -> str:
    """Which of the calls, named by a letter each, are known."""
    return "".join(name for name in names if kept.recall([key(name)]))


@pytest.mark.parametrize(
    "other",
    [
        (Caller(tenant="b", key_id="k"), CALL),
        (Caller(key_id="a"), CALL),
        (ANONYMOUS, CALL),
        (Caller(tenant="a"), ToolCall("call_2", CALL.name, CALL.arguments)),
        (Caller(tenant="a"), ToolCall(CALL.id, "delete", CALL.arguments)),
        (Caller(tenant="a"), ToolCall(CALL.id, CALL.name, '{"a": 2, "b": [2.5]}')),
        (Caller(tenant="a"), ToolCall(CALL.id + CALL.name[:1], CALL.name[1:], CALL.arguments)),
    ],
)
def test_another_tenant_or_another_call_is_another_key(other: tuple[Caller, ToolCall]) -> None:
    assert call_key(*other) != call_key(Caller(tenant="a"), CALL)


def test_keys_without_a_tenant_are_tenants_of_their_own() -> None:
    assert call_key(Caller(key_id="a"), CALL) != call_key(Caller(key_id="b"), CALL)
    assert call_key(Caller(key_id="a"), CALL) != call_key(Caller(tenant="a"), CALL)


def test_a_tenants_keys_share_its_reasoning() -> None:
    assert call_key(Caller(tenant="t", key_id="a"), CALL) == call_key(Caller(tenant="t", key_id="b"), CALL)


@pytest.mark.parametrize("arguments", ['{"a":1,"b":[2.5]}', '{ "b" : [2.5], "a" : 1 }', '{"a":1,"b":[2.50]}'])
def test_arguments_written_anew_are_the_same(arguments: str) -> None:
    assert call_key(ANONYMOUS, ToolCall(CALL.id, CALL.name, arguments)) == call_key(ANONYMOUS, CALL)


@pytest.mark.parametrize("arguments", ["", "{", "\ud800", "[" * 100_000, "NaN", '{"a":"\\ud800"}'])
def test_any_arguments_have_a_key(arguments: str) -> None:
    call = ToolCall("c", "f", arguments)
    assert call_key(ANONYMOUS, call) == call_key(ANONYMOUS, call)


def test_the_least_recently_used_answer_goes_first() -> None:
    kept = memory()
    for name in "abc":
        kept.keep([key(name)], name)
    assert known(kept, "a") == "a"
    kept.keep([key("d")], "d")
    assert known(kept, "abcd") == "acd"


def test_bytes_are_bounded() -> None:
    kept = memory(max_answers=1000)
    for index in range(40):
        kept.keep([key(str(index))], "x" * 100_000)
        assert kept.size_bytes <= 1024 * 1024
    assert len(kept) == 1024 * 1024 // (sys.getsizeof("x" * 100_000) + 600)
    assert kept.recall([key("39")])


def test_reasoning_over_the_whole_bound_is_not_kept_and_drives_nothing_out() -> None:
    kept = memory()
    kept.keep([key("a")], "short")
    kept.keep([key("b")], "x" * 2_000_000)
    assert known(kept, "ab") == "a"


def test_an_answer_expires_after_its_last_use() -> None:
    clock = Clock()
    kept = memory(clock)
    kept.keep([key("a")], "one")
    kept.keep([key("b")], "two")
    clock.now = 59.0
    assert known(kept, "a") == "a"
    clock.now = 61.0
    assert known(kept, "ab") == "a"
    clock.now = 200.0
    kept.sweep()
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_other_bounds_hold_at_once() -> None:
    clock = Clock()
    kept = memory(clock)
    for name in "abc":
        kept.keep([key(name)], name)
        clock.now += 10
    kept.bound(ReasoningSettings(max_answers=2))
    assert known(kept, "abc") == "bc"
    clock.now += 10
    kept.keep([key("d")], "d")
    kept.bound(ReasoningSettings(ttl_s=5))
    assert known(kept, "bcd") == "d"
    kept.bound(ReasoningSettings(restore=False))
    kept.keep([key("e")], "e")
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_an_answers_calls_share_its_reasoning() -> None:
    kept = memory()
    kept.keep([key("a"), key("b"), key("a")], "both")
    assert kept.recall([key("b"), key("a"), key("c")]) == {key("a"): "both", key("b"): "both"}
    assert len(kept) == 1


def test_a_call_kept_again_has_its_newest_reasoning() -> None:
    kept = memory()
    kept.keep([key("a"), key("b")], "old")
    kept.keep([key("a")], "new")
    assert kept.recall([key("a"), key("b")]) == {key("a"): "new"}
    assert len(kept) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("keep", "recall", "wait")),
            st.lists(st.sampled_from("abcdef"), max_size=3),
            st.integers(0, 400_000),
        ),
        max_size=40,
    )
)
def test_it_never_grows_over_its_bounds_nor_tells_what_it_was_not_told(
    steps: Sequence[tuple[str, Sequence[str], int]],
) -> None:
    clock = Clock()
    kept = memory(clock)
    told: dict[bytes, str] = {}
    for step, names, number in steps:
        calls = [key(name) for name in names]
        if step == "keep":
            reasoning = "y" * number
            kept.keep(calls, reasoning)
            told |= dict.fromkeys(calls, reasoning)
        elif step == "recall":
            found = kept.recall(calls)
            assert found == {call: told[call] for call in found}
        else:
            clock.now += number / 10_000
        assert len(kept) <= 3
        assert 0 <= kept.size_bytes <= 1024 * 1024
    clock.now += 61
    kept.sweep()
    assert (len(kept), kept.size_bytes) == (0, 0)
