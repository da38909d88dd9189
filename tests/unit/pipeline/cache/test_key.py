"""Two requests share a key exactly when they are the same request of the same tenant."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.types import (
    FilePart,
    GenerateRequest,
    ImagePart,
    Message,
    ResponseFormat,
    Sampling,
    TextPart,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
)
from seekway.pipeline.cache.key import (
    KeyScope,
    answer_key,
    context_key,
    is_repeatable,
    points_elsewhere,
    tenant_of,
    tenant_tag,
)
from seekway.pipeline.caller import ANONYMOUS, Caller

TEXTS = st.sampled_from(["", "a", "b", "ab", "a\0b", "是", "1"])
MAYBE = st.none() | TEXTS
CALLS = st.builds(ToolCall, TEXTS, TEXTS, TEXTS)
PARTS = st.builds(TextPart, TEXTS) | st.builds(ImagePart, TEXTS, TEXTS) | st.builds(FilePart, MAYBE, MAYBE, MAYBE)
MESSAGES = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    TEXTS | st.lists(PARTS, max_size=2).map(tuple),
    MAYBE,
    MAYBE,
    st.lists(CALLS, max_size=2).map(tuple),
    MAYBE,
    st.booleans(),
)
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([None, 0.0, 1.0]),
    max_tokens=st.sampled_from([None, 1, 2]),
    stop=st.lists(TEXTS, max_size=2).map(tuple),
    seed=st.sampled_from([None, 0, 1]),
    top_logprobs=st.sampled_from([None, 0, 1]),
)
SCHEMAS = st.dictionaries(TEXTS, st.sampled_from([1, 1.0, True, "1", None]), max_size=2)
REQUESTS = st.builds(
    GenerateRequest,
    st.just("id"),
    st.just("m"),
    st.lists(MESSAGES, max_size=2).map(tuple),
    st.none() | TEXTS | st.lists(st.integers(0, 2), max_size=2).map(tuple),
    MAYBE,
    st.booleans(),
    SAMPLINGS,
    st.lists(st.builds(Tool, TEXTS, TEXTS, SCHEMAS, st.booleans()), max_size=2).map(tuple),
    st.builds(ToolChoice, st.sampled_from(["none", "auto"]), MAYBE),
    st.builds(ResponseFormat, st.sampled_from(["text", "json_object"]), st.none() | SCHEMAS),
    st.builds(Thinking, st.sampled_from([None, True, False]), st.sampled_from([None, "low"])),
    extra=SCHEMAS,
)
SCOPES = st.builds(KeyScope, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
ONE = KeyScope("tenant:a", "m", "1")
PLAIN = GenerateRequest("1", "m", (Message("system", "Be brief."), Message("user", "Hello")))


def shape(value: Any) -> object:
    """What tells 1 from 1.0 and True, and, a request's own extra fields apart, one order of keys from another."""
    if isinstance(value, GenerateRequest):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return [shape(item) for name, item in fields.items() if name != "extra"], sorted(
            (key, repr(item)) for key, item in value.extra.items()
        )
    return repr(value)


@given(REQUESTS, REQUESTS, SCOPES, SCOPES)
def test_keys_are_equal_exactly_when_requests_and_scopes_are(
    one: GenerateRequest, two: GenerateRequest, mine: KeyScope, yours: KeyScope
) -> None:
    assert (answer_key(one, mine) == answer_key(two, mine)) == (shape(one) == shape(two))
    assert (answer_key(one, mine) == answer_key(one, yours)) == (mine == yours)


@given(REQUESTS, st.data())
def test_a_changed_field_changes_the_key(one: GenerateRequest, data: st.DataObject) -> None:
    two = data.draw(REQUESTS)
    name = data.draw(st.sampled_from([name for name in one.__struct_fields__ if name not in ("id", "model")]))
    changed = msgspec.structs.replace(one, **{name: getattr(two, name)})
    assert (answer_key(one, ONE) == answer_key(changed, ONE)) == (shape(one) == shape(changed))


def test_what_does_not_change_the_answer_is_left_out() -> None:
    other = msgspec.structs.replace(PLAIN, id="2", user_id="u", deadline_s=1.0, stream=False)
    assert answer_key(PLAIN, ONE) == answer_key(other, ONE)


def test_a_request_without_an_encoding_has_no_key() -> None:
    assert answer_key(msgspec.structs.replace(PLAIN, messages=(Message("user", "\ud800"),)), ONE) is None
    assert answer_key(msgspec.structs.replace(PLAIN, extra={"n": 2**70}), ONE) is None


def test_questions_are_compared_only_where_all_else_is_equal() -> None:
    def context(*messages: Message, **fields: Any) -> bytes | None:
        return context_key(msgspec.structs.replace(PLAIN, messages=messages or PLAIN.messages, **fields), ONE)

    system = Message("system", "Be brief.")
    assert context(system, Message("user", "Hello")) == context(system, Message("user", "Good day"))
    assert context(system, Message("user", "Hello")) != context(Message("system", "Be long."), Message("user", "Hello"))
    assert context() != context(sampling=Sampling(temperature=0.0))
    assert context_key(PLAIN, ONE) != context_key(PLAIN, KeyScope("tenant:b", "m", "1"))


def test_no_two_tenants_share_and_a_key_without_a_tenant_stands_alone() -> None:
    callers = (ANONYMOUS, Caller("k"), Caller("k2"), Caller("k", "t"), Caller("", "k"), Caller("k", "open"))
    assert len({tenant_of(caller) for caller in callers}) == len(callers)
    assert tenant_of(Caller("k", "t")) == tenant_of(Caller("k2", "t"))
    key = answer_key(PLAIN, ONE)
    assert key is not None
    assert key.startswith(tenant_tag("tenant:a"))
    assert len(key) == 32


@pytest.mark.parametrize(
    ("sampling", "repeatable"),
    [
        (Sampling(), False),
        (Sampling(temperature=0.7), False),
        (Sampling(temperature=0.0), True),
        (Sampling(temperature=1.0, seed=0), True),
        (Sampling(top_k=1), True),
    ],
)
def test_chance_is_seen_in_the_sampling(sampling: Sampling, repeatable: bool) -> None:
    assert is_repeatable(sampling) is repeatable


def test_pictures_by_address_and_files_by_id_point_elsewhere() -> None:
    def points(*parts: TextPart | ImagePart | FilePart) -> bool:
        return points_elsewhere((Message("user", parts),))

    assert not points(TextPart("a"), ImagePart("data:image/png;base64,AA"), FilePart(data="data:text/plain,a"))
    assert points(ImagePart("https://example.com/a.png"))
    assert points(TextPart("a"), FilePart("file-1"))
    assert not points_elsewhere((Message("user", "https://example.com/a.png"),))
