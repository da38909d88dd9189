"""What a connection's earlier requests were found to be changes nothing for the later ones, though equal heads are judged once."""

from __future__ import annotations

import pytest

from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import GenerateRequest
from tests.integration.gateway.served import Served, serving
from tests.integration.gateway.test_smuggling import (
    BODY,
    CHAT,
    INNER,
    LENGTH,
    SMALL,
    TWO_READINGS,
    post,
    rest,
    statuses,
    unharmed,
)

GOOD = post(LENGTH, body=BODY)


def sized(body: bytes) -> bytes:
    return post(f"content-length: {len(body)}", body=body)


def asked(served: Served) -> list[str]:
    """The text of each request that the backend got."""
    return [str(r.messages[0].content) for r in served.backend.requests if isinstance(r, GenerateRequest)]


@pytest.mark.parametrize("sent", [row[1] for row in TWO_READINGS], ids=[row[0] for row in TWO_READINGS])
async def test_what_could_be_read_in_two_ways_is_refused_behind_a_good_request(sent: bytes) -> None:
    async with unharmed() as (served, connection):
        connection.writer.write(GOOD)
        assert (await connection.answer()).status == 200
        connection.writer.write(sent + INNER)
        answers = await rest(connection)
        assert statuses(answers) in ([b"400"], []), answers
        assert len(served.backend.requests) == 1


async def test_requests_that_differ_in_their_length_alone_have_each_its_own_body() -> None:
    texts = ["hi", "h" * 200, "hello there", "h" * 1200, "hi"]
    async with unharmed() as (served, connection):
        for text in texts:
            connection.writer.write(sized(BODY.replace(b"hi", text.encode())))
            assert (await connection.answer()).status == 200
        assert asked(served) == texts


async def test_a_body_that_comes_in_pieces_is_read_whole_behind_a_good_request() -> None:
    async with unharmed() as (served, connection):
        for cut in (1, len(GOOD) - len(BODY), len(GOOD) - 5):
            connection.writer.write(GOOD)
            assert (await connection.answer()).status == 200
            connection.writer.write(GOOD[:cut])
            await connection.writer.drain()
            connection.writer.write(GOOD[cut:])
            assert (await connection.answer()).status == 200
        assert len(served.backend.requests) == 6


async def test_pipelined_requests_are_answered_in_order_behind_a_good_one() -> None:
    async with unharmed() as (served, connection):
        connection.writer.write(GOOD)
        assert (await connection.answer()).status == 200
        connection.writer.write(b"".join(sized(BODY.replace(b"hi", b"h" * n)) for n in (1, 30, 300)))
        assert [(await connection.answer()).status for _ in range(3)] == [200] * 3
        assert [len(text) for text in asked(served)] == [2, 1, 30, 300]


@pytest.mark.parametrize(("length", "status"), [("0", 400), (str(SMALL.max_body_bytes + 1), 413), ("9" * 15, 413)])
async def test_a_length_is_judged_anew(length: str, status: int) -> None:
    async with unharmed(gateway=SMALL) as (served, connection):
        connection.writer.write(GOOD)
        assert (await connection.answer()).status == 200
        connection.writer.write(post(f"content-length: {length}"))
        assert (await connection.answer()).status == status
        assert len(served.backend.requests) == 1


async def test_the_first_of_two_equal_headers_counts_on_every_request() -> None:
    async with unharmed(key="sk-good") as (_, connection):
        head = ("authorization: Bearer sk-good", "authorization: Bearer sk-bad", LENGTH)
        for _ in range(3):
            connection.writer.write(post(*head, body=BODY))
            assert (await connection.answer()).status == 200


async def test_a_key_is_looked_up_for_every_request_of_a_connection() -> None:
    async with unharmed(key="sk-good") as (_, connection):
        for key, status in (("sk-good", 200), ("sk-evil", 401), ("sk-evil", 401), ("sk-good", 200), ("sk-good", 200)):
            answer = await connection.ask("POST", CHAT, BODY, (f"authorization: Bearer {key}",))
            assert answer.status == status


async def test_a_client_that_closes_is_closed_behind_a_good_request() -> None:
    async with serving(gateway=GatewaySettings()) as served, served.connect() as connection:
        connection.writer.write(GOOD)
        assert (await connection.answer()).status == 200
        connection.writer.write(post("connection: close", LENGTH, body=BODY))
        assert statuses(await rest(connection)) == [b"200"]
