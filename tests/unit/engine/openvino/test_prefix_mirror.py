from __future__ import annotations

import random
from pathlib import Path

import pytest

from seekway.engine.base import TokenRequest
from seekway.engine.openvino.pipeline import PipelineOptions, Sequence, open_pipeline
from seekway.engine.openvino.prefix_mirror import PrefixMirror


def _run(mirror: PrefixMirror, number: int, prompt: tuple[int, ...], answer: list[int], steps: int = 1) -> int:
    """One request alone; gives its reused tokens."""
    cached = mirror.add(number, prompt)
    for _ in range(steps):
        mirror.step()
    for token in answer:
        mirror.sampled(number, [token])
        if token != answer[-1]:
            mirror.step()
    mirror.end(number)
    return cached


def test_a_first_prompt_reuses_nothing_and_its_repetition_all_but_the_last_token() -> None:
    mirror = PrefixMirror(100, 256)
    prompt = tuple(range(70))
    assert _run(mirror, 1, prompt, [900]) == 0
    assert _run(mirror, 2, prompt, [900]) == 69


def test_a_follow_up_reuses_prompt_and_answer_up_to_the_answers_last_token() -> None:
    mirror = PrefixMirror(100, 256)
    prompt, answer = tuple(range(70)), [900, 901, 902, 903]
    _run(mirror, 1, prompt, answer)
    assert _run(mirror, 2, (*prompt, *answer, 7, 8, 9), [1]) == 73


def test_a_prompt_that_turns_off_reuses_the_whole_blocks_before() -> None:
    mirror = PrefixMirror(100, 256)
    _run(mirror, 1, tuple(range(200)), [900])
    assert _run(mirror, 2, (*range(100), 5, 5, 5), [900]) == 96


def test_the_longest_unused_blocks_go_first() -> None:
    mirror = PrefixMirror(8, 256)
    old, new, third = (tuple(range(start, start + 96)) for start in (0, 1000, 2000))
    for number, prompt in enumerate((old, new, third)):
        _run(mirror, number, prompt, [1])
    assert _run(mirror, 10, new, [1]) == 95
    assert _run(mirror, 11, old, [1]) == 0
    assert mirror.exact


def test_two_prompts_do_not_continue_one_block_at_a_time() -> None:
    mirror = PrefixMirror(100, 256)
    shared, answer = tuple(range(70)), [900, 901]
    _run(mirror, 1, shared, answer)
    first, second = (*shared, 900, 3, 4), (*shared, 900, 5, 6)
    assert not mirror.must_wait(first)
    mirror.add(2, first)
    assert mirror.must_wait(second)
    mirror.step()
    mirror.sampled(2, [9])
    assert not mirror.must_wait(second)


def test_a_prompt_in_the_middle_of_a_block_is_not_cancelled_there() -> None:
    mirror = PrefixMirror(100, 40)
    mirror.add(1, tuple(range(90)))
    assert mirror.may_leave(1)
    mirror.step()
    assert not mirror.may_leave(1)
    mirror.step()
    assert not mirror.may_leave(1)
    mirror.step()
    assert mirror.may_leave(1)


def test_when_the_cache_cannot_hold_all_the_mirror_says_it_no_longer_knows() -> None:
    mirror = PrefixMirror(4, 256)
    mirror.add(1, tuple(range(100)))
    mirror.add(2, tuple(range(500, 600)))
    mirror.step()
    assert not mirror.exact


class _Running:
    def __init__(self, sequence: Sequence, prompt: tuple[int, ...]) -> None:
        self.sequence = sequence
        self.tokens = list(prompt)
        self.sampled = False


class _Comparison:
    """Runs random prompts, many of them with a beginning in common, and compares in each step who finished its prompt."""

    def __init__(self, model: Path, *, batched: int, blocks: int, together: int, seed: int) -> None:
        self.pipeline = open_pipeline(PipelineOptions(model, 0, 8, "int8", blocks, True, batched))
        self.mirror = PrefixMirror(blocks, batched)
        self.reused = 0
        self._random = random.Random(seed)
        self._together = together
        self._base = [self._random.randrange(100, 4000) for _ in range(200)]
        self._finished: list[list[int]] = []
        self._running: dict[int, _Running] = {}

    def run(self, requests: int) -> None:
        number = 0
        while number < requests or self._running:
            while number < requests and len(self._running) < self._random.randrange(1, self._together + 1):
                number += 1
                self._start(number)
            self._maybe_cancel()
            if self.pipeline.has_work():
                self.pipeline.step()
                self.mirror.step()
                for key in list(self._running):
                    self._compare(key)

    def _start(self, number: int) -> None:
        prompt = tuple(self._prompt()[:150])
        request = TokenRequest(str(number), prompt, self._random.randrange(1, 40), temperature=0.0)
        self._running[number] = _Running(self.pipeline.add(number, request), prompt)
        self.reused += self.mirror.add(number, prompt)

    def _prompt(self) -> list[int]:
        tail = [self._random.randrange(100, 4000) for _ in range(self._random.randrange(1, 30))]
        if not self._finished or self._random.random() < 0.3:
            return self._base[: self._random.randrange(1, 130)] + tail
        earlier = self._random.choice(self._finished[-12:])
        if self._random.random() < 0.6:
            return earlier + tail
        return earlier[: self._random.randrange(1, len(earlier) + 1)]

    def _maybe_cancel(self) -> None:
        if self._running and self._random.random() < 0.02:
            number = self._random.choice(list(self._running))
            self._running.pop(number).sequence.cancel()
            self.mirror.end_after_step(number)

    def _compare(self, number: int) -> None:
        running = self._running[number]
        output = running.sequence.read()
        running.sampled |= bool(output.sampled)
        assert running.sampled == self.mirror.prompt_is_computed(number)
        if output.sampled:
            self.mirror.sampled(number, output.sampled)
            running.tokens += output.sampled
        if output.finish is not None:
            self.mirror.end(number)
            self._finished.append(running.tokens)
            del self._running[number]


@pytest.mark.model
@pytest.mark.parametrize(
    ("batched", "blocks", "together", "requests"),
    [(1, 16, 1, 8), (7, 40, 3, 20), (16, 26, 3, 30)],
    ids=["token by token", "small steps", "blocks are taken again"],
)
def test_the_mirror_tells_what_openvino_does(
    demo_model: Path, batched: int, blocks: int, together: int, requests: int
) -> None:
    comparison = _Comparison(demo_model, batched=batched, blocks=blocks, together=together, seed=requests)
    comparison.run(requests)
    assert comparison.mirror.exact
    assert comparison.reused > 200
