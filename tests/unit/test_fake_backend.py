import asyncio
from contextlib import aclosing

import pytest

from seekway.core.errors import ModelNotFound, Overloaded
from seekway.core.ports import Backend
from seekway.core.types import Finish, GenerateRequest, TextDelta
from tests.fakes.backend import HANG, FakeBackend


async def test_the_fake_is_a_backend_and_counts_what_finished() -> None:
    fake = FakeBackend()
    backend: Backend = fake
    events = [event async for event in backend.generate(GenerateRequest("1", "fake", prompt="hi"))]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello, world!"
    assert events[-1] == Finish("stop")
    assert (fake.completed, fake.cancelled, fake.running) == (1, 0, 0)


async def test_closing_the_fakes_stream_counts_as_cancelled() -> None:
    fake = FakeBackend([TextDelta("a"), HANG])
    async with aclosing(fake.generate(GenerateRequest("1", "fake", prompt="hi"))) as stream:
        assert await anext(stream) == TextDelta("a")
    await asyncio.wait_for(fake.idle.wait(), 5)
    assert fake.cancelled == 1


async def test_the_fake_raises_what_it_is_told() -> None:
    with pytest.raises(Overloaded):
        await anext(FakeBackend([Overloaded("busy")]).generate(GenerateRequest("1", "fake", prompt="hi")))
    with pytest.raises(ModelNotFound):
        await anext(FakeBackend().generate(GenerateRequest("1", "other", prompt="hi")))
