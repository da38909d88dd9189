"""A short run of schemathesis; ``make api-fuzz`` is the long one."""

from __future__ import annotations

import pytest

from tests.fuzz.openapi_run import PROGRAM, attack

MOST_S = 100.0


@pytest.mark.clients
async def test_answers_are_as_the_document_says() -> None:
    if not PROGRAM.exists():
        pytest.skip("schemathesis is not installed: run make clients")
    status, said = await attack(["--phases", "coverage,fuzzing", "-n", "3", "--max-time", "25", "--seed", "1"], MOST_S)
    assert status == 0, said
    assert " generated" in said, said
