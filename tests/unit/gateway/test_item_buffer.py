"""The buffer between backend and client loses nothing, holds back, and knows when a keep-alive is due."""

from __future__ import annotations

import asyncio

from seekway.core.errors import Overloaded
from seekway.gateway.item_buffer import ItemBuffer


async def test_all_that_waits_is_taken_at_once_before_the_end_shows() -> None:
    buffer: ItemBuffer[int] = ItemBuffer(10, 60)
    assert buffer.put(1)
    assert buffer.put(2)
    buffer.end(Overloaded("Full."))
    assert await buffer.take() == [1, 2]
    assert await buffer.take() == []
    assert buffer.ended
    assert isinstance(buffer.error, Overloaded)
    buffer.close()


async def test_a_full_buffer_makes_the_putter_wait_for_the_reader() -> None:
    buffer: ItemBuffer[int] = ItemBuffer(2, 60)
    assert buffer.put(1)
    assert not buffer.put(2)
    async with asyncio.TaskGroup() as group:
        room = group.create_task(buffer.room())
        await asyncio.sleep(0)
        assert not room.done()
        assert await buffer.take() == [1, 2]
    buffer.close()


async def test_silence_wakes_the_reader_with_nothing() -> None:
    buffer: ItemBuffer[int] = ItemBuffer(2, 0.01)
    assert await buffer.take() == []
    assert await buffer.take() == []
    assert not buffer.ended
    buffer.close()


async def test_the_clients_going_wakes_the_reader() -> None:
    buffer: ItemBuffer[int] = ItemBuffer(2, 60)
    async with asyncio.TaskGroup() as group:
        taken = group.create_task(buffer.take())
        await asyncio.sleep(0)
        buffer.client_gone()
        assert await taken == []
    assert buffer.gone
    buffer.close()
