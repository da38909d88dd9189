"""How many tokens of a prompt came from the prefix cache, which OpenVINO GenAI knows but does not tell.

The mirror repeats what its scheduler and block manager do with the same events in the same order
(``continuous_batching/scheduler.hpp`` and ``cache/block_manager.hpp``, read at release 2026.4 and checked against the running library):
a block is known by all tokens up to its end, a freed block stays reusable until it is the least recently taken one and none is fresh,
and a prompt reuses whole blocks from its start and then at most one partly filled one.

It is exact while the running sequences fit into the cache together. When they do not, the scheduler takes blocks from the youngest;
from then on :attr:`exact` is False, the cache is forgotten and reuse counts anew, which may tell too little or too much.

Knowing the blocks also lets the stepper go round two faults of release 2026.4 that give wrong answers:
two prompts that continue one partly filled block at the same time write over each other (:meth:`must_wait`),
and a prompt cancelled in the middle of a block leaves it behind as if it were full (:meth:`may_leave`).
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final

from seekway.engine.openvino.kv_cache import BLOCK_TOKENS

_Key = int


class _Block:
    __slots__ = ("key", "taken", "users")

    def __init__(self, taken: int) -> None:
        self.key: _Key = 0
        self.taken = taken
        """When the block was last given to a sequence; fresh blocks by their order."""
        self.users = 0


class _Sequence:
    __slots__ = ("blocks", "ending", "keys", "processed", "prompt", "started", "tokens")

    def __init__(self, prompt: tuple[int, ...]) -> None:
        self.tokens = list(prompt)
        self.prompt = len(prompt)
        self.processed = 0
        self.blocks: list[_Block] = []
        self.keys: list[_Key] = []
        self.ending = False
        self.started = False

    def key(self, length: int) -> _Key:
        """Names the first ``length`` tokens."""
        while len(self.keys) < length // BLOCK_TOKENS:
            end = (len(self.keys) + 1) * BLOCK_TOKENS
            self.keys.append(hash((self._before(end), tuple(self.tokens[end - BLOCK_TOKENS : end]))))
        if length % BLOCK_TOKENS == 0:
            return self.keys[length // BLOCK_TOKENS - 1]
        start = length - length % BLOCK_TOKENS
        return hash((self._before(start + BLOCK_TOKENS), tuple(self.tokens[start:length])))

    def _before(self, end: int) -> _Key:
        return self.keys[end // BLOCK_TOKENS - 2] if end > BLOCK_TOKENS else 0


class PrefixMirror:
    """Mirrors ``blocks`` blocks of KV cache and steps of ``batched_tokens`` tokens; belongs to the stepping thread."""

    def __init__(self, blocks: int, batched_tokens: int) -> None:
        self.exact = True
        self._batched_tokens: Final = batched_tokens
        self._clock = blocks
        self._fresh = deque(_Block(order) for order in range(blocks))
        self._kept: dict[_Key, _Block] = {}
        """Blocks no sequence uses, by what they hold."""
        self._oldest: list[tuple[int, int, _Block]] = []
        """A heap over ``_kept``; entries whose block was taken since are skipped."""
        self._known: dict[_Key, _Block] = {}
        self._sequences: dict[int, _Sequence] = {}

    def must_wait(self, prompt: tuple[int, ...]) -> bool:
        """Whether ``prompt`` would continue a partly filled block that another prompt is continuing now."""
        sequence = _Sequence(prompt)
        found, position = self._find(sequence)
        if not found or position == len(prompt) or position % BLOCK_TOKENS == 0:
            return False
        last = found[-1]
        return last.users > 0 and any(
            other.processed < other.prompt and other.blocks and other.blocks[-1] is last
            for other in self._sequences.values()
        )

    def may_leave(self, number: int) -> bool:
        """Whether all blocks of the sequence hold what they are named after, so that it can be cancelled."""
        sequence = self._sequences[number]
        named = min(len(sequence.blocks) * BLOCK_TOKENS, sequence.prompt)
        return not sequence.started or sequence.processed >= named

    def prompt_is_computed(self, number: int) -> bool:
        """Whether the last step reached the prompt's end, and so sampled the first token."""
        sequence = self._sequences[number]
        return sequence.started and sequence.processed >= sequence.prompt

    def add(self, number: int, prompt: tuple[int, ...]) -> int:
        """Note a request as it enters the pipeline; gives the number of its prompt's tokens that are not computed again."""
        sequence = _Sequence(prompt)
        self._sequences[number] = sequence
        position = self._restore(sequence)
        sequence.processed = position - 1 if position == sequence.prompt else position
        return max(sequence.processed, 0)

    def step(self) -> None:
        """Repeat what the scheduler did in the step just run; comes before :meth:`sampled` and :meth:`end` of that step."""
        left = self._batched_tokens
        for sequence in self._sequences.values():
            if left and not sequence.ending and sequence.processed >= sequence.prompt:
                count = min(left, len(sequence.tokens) - sequence.processed)
                if self._append(sequence, count):
                    sequence.processed += count
                    left -= count
        for sequence in self._sequences.values():
            if left and not sequence.ending and sequence.processed < sequence.prompt:
                left -= self._prefill(sequence, left)
        for number in [number for number, sequence in self._sequences.items() if sequence.ending]:
            self.end(number)

    def sampled(self, number: int, tokens: list[int]) -> None:
        self._sequences[number].tokens += tokens

    def end(self, number: int) -> None:
        """The sequence ended in the step just mirrored; what it computed stays reusable."""
        for block in self._sequences.pop(number).blocks:
            self._release(block)

    def end_after_step(self, number: int) -> None:
        """The sequence was cancelled: the next step no longer computes it, and frees it at its end."""
        self._sequences[number].ending = True

    def _restore(self, sequence: _Sequence) -> int:
        """Take the blocks that hold the prompt's beginning; gives how many tokens they hold."""
        found, position = self._find(sequence)
        for block in found:
            if not block.users:
                self._kept.pop(block.key, None)
            block.users += 1
            self._touch(block)
        sequence.blocks = found
        return position

    def _find(self, sequence: _Sequence) -> tuple[list[_Block], int]:
        """The blocks that hold the prompt's beginning, the last of them perhaps in part, and the tokens they hold."""
        found, position = list[_Block](), 0
        while position < sequence.prompt:
            end = min(position + BLOCK_TOKENS, sequence.prompt)
            lengths = (end, *range(position + 1, end))
            for length in lengths:
                block = self._holding(sequence.key(length))
                if block is not None:
                    found.append(block)
                    break
            else:
                break
            position = length
            if length != end:
                break
        return found, position

    def _holding(self, key: _Key) -> _Block | None:
        return self._kept.get(key) or self._known.get(key)

    def _prefill(self, sequence: _Sequence, left: int) -> int:
        room = len(sequence.blocks) * BLOCK_TOKENS - sequence.processed
        wanted = min(left, sequence.prompt - sequence.processed)
        if wanted > room + self._free() * BLOCK_TOKENS:
            self._lose()
        self._grow(sequence, sequence.processed + wanted)
        sequence.processed += wanted
        sequence.started = True
        return wanted

    def _append(self, sequence: _Sequence, count: int) -> bool:
        """A slot for the next token: a new block, a copy of a shared last block, or the last block under its new name."""
        length = sequence.processed + count
        if length > len(sequence.blocks) * BLOCK_TOKENS:
            self._grow(sequence, length)
            return True
        last = sequence.blocks[-1]
        if last.users > 1:
            sequence.blocks[-1] = self._take_free(sequence.key(length))
            self._release(last)
        else:
            self._rename(last, sequence.key(length))
        return True

    def _grow(self, sequence: _Sequence, length: int) -> None:
        needed = -(-length // BLOCK_TOKENS) - len(sequence.blocks)
        if needed <= 0:
            return
        if sequence.blocks:
            whole = len(sequence.blocks) * BLOCK_TOKENS
            self._rename(sequence.blocks[-1], sequence.key(whole))
        for _ in range(needed):
            end = min((len(sequence.blocks) + 1) * BLOCK_TOKENS, len(sequence.tokens))
            sequence.blocks.append(self._take_free(sequence.key(end)))

    def _rename(self, block: _Block, key: _Key) -> None:
        if block.key != key:
            self._known.pop(block.key, None)
            block.key = key
            self._known[key] = block

    def _take_free(self, key: _Key) -> _Block:
        """A fresh block, else the one taken longest ago of those nobody uses."""
        if self._fresh:
            block = self._fresh.popleft()
        else:
            block = self._pop_oldest()
            self._known.pop(block.key, None)
        block.key = key
        block.users = 1
        self._known[key] = block
        return block

    def _pop_oldest(self) -> _Block:
        while self._oldest:
            taken, _, block = heapq.heappop(self._oldest)
            if block.taken == taken and self._kept.get(block.key) is block:
                del self._kept[block.key]
                self._touch(block)
                return block
        self._lose()
        return self._fresh.popleft() if self._fresh else _Block(self._clock)

    def _release(self, block: _Block) -> None:
        block.users -= 1
        if block.users:
            return
        other = self._kept.get(block.key)
        if other is not None:
            self._fresh.append(other)
            if self._known.get(block.key) is other:
                self._known[block.key] = block
        self._kept[block.key] = block
        heapq.heappush(self._oldest, (block.taken, id(block), block))

    def _touch(self, block: _Block) -> None:
        self._clock += 1
        block.taken = self._clock

    def _free(self) -> int:
        return len(self._fresh) + len(self._kept)

    def _lose(self) -> None:
        """The scheduler preempts: which blocks it keeps is no longer known."""
        self.exact = False
        self._kept.clear()
        self._known.clear()
        self._oldest.clear()
