"""Forms and rules in Dify's words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from seekway.core.errors import InvalidParameter
from seekway.core.token_estimate import mixed_tokens
from seekway.knowledge.chunking.passages import asked_passages, general_passages, parent_passages, table_passages
from seekway.knowledge.chunking.process_rule import ProcessRule, read_process_rule
from seekway.knowledge.parsing.markdown import parse_markdown
from seekway.knowledge.parsing.parsed import Bounds, Parsed

_BOOK = "# 手册\n\n## 退货\n\n七天内可以退货。\n\n请保留发票。\n\n### Exchange\n\nWithin seven days.\n\n## 运费\n\n由买家承担。"


def _rule(**segmentation: object) -> ProcessRule:
    return read_process_rule(msgspec.json.encode({"mode": "custom", "rules": {"segmentation": segmentation}}))


def test_automatic_merges_and_cleans_spaces() -> None:
    rule = read_process_rule('{"mode": "automatic"}')
    assert rule.cleaning == ("remove_extra_spaces",)
    parsed = parse_markdown(_BOOK, Bounds())
    assert [passage.text for passage in general_passages(parsed, rule)] == [_BOOK]


def test_custom_ends_at_its_separator_and_knows_the_titles_above() -> None:
    parsed = parse_markdown(_BOOK, Bounds())
    passages = general_passages(parsed, _rule(separator="\\n\\n", max_tokens=100))
    assert [(passage.position, passage.heading) for passage in passages] == [
        (1, "手册"),
        (2, "手册 / 退货"),
        (3, "手册 / 退货 / Exchange"),
        (4, "手册 / 运费"),
    ]
    assert passages[1].text == "请保留发票。"
    assert all(parsed.text[one.start : one.end] == one.text for one in passages)


def test_children_are_searched_and_parents_shown() -> None:
    parsed = parse_markdown(_BOOK, Bounds())
    rule = read_process_rule(
        '{"mode": "hierarchical", "rules": {"parent_mode": "full-doc", "segmentation": {"separator": "\\n\\n", "max_tokens": 500},'
        ' "subchunk_segmentation": {"separator": "\\n\\n", "max_tokens": 50}}}'
    )
    (parent,) = parent_passages(parsed, rule)
    assert parent.text == _BOOK
    assert parent.keys[1] == "请保留发票。"
    assert all(key in parent.text for key in parent.keys)


def test_a_full_document_has_at_most_ten_thousand_tokens_a_parent_and_loses_nothing() -> None:
    text = "一句话。" * 10_000
    rule = read_process_rule(
        '{"mode": "hierarchical", "rules": {"parent_mode": "full-doc", "subchunk_segmentation": {"max_tokens": 200}}}'
    )
    parents = parent_passages(Parsed(text), rule)
    assert "".join(parent.text for parent in parents) == text
    assert len(parents) == 3
    assert all(mixed_tokens(parent.text) <= 10_000 for parent in parents)
    assert all("".join(parent.keys) == parent.text for parent in parents)


def test_pairs_of_a_table_are_found_by_their_question() -> None:
    parsed, passages = table_passages(Parsed("", pairs=(("怎么退货？", "七天内。"), ("Q", "A"), (" ", "x"))))
    assert [(one.position, one.text, one.answer, one.keys) for one in passages] == [
        (1, "怎么退货？", "七天内。", ()),
        (2, "Q", "A", ()),
    ]
    assert parsed.text[passages[1].start : passages[1].end] == "Q\nA"


class _Echo:
    async def ask(self, text: str, language: str, /) -> Sequence[tuple[str, str]]:
        return [(f"{language}: {text[:4]}?", text)]


async def test_a_model_asks_passage_by_passage() -> None:
    parsed = parse_markdown(_BOOK, Bounds())
    _, passages = await asked_passages(parsed, _rule(separator="\n\n", max_tokens=100), _Echo(), "Chinese")
    assert [one.heading for one in passages][:2] == ["手册", "手册 / 退货"]
    assert passages[1].text == "Chinese: 请保留发?"
    assert passages[1].answer == "请保留发票。"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{", "not JSON"),
        ('{"mode": "other"}', "mode"),
        ('{"mode": "custom"}', "needs rules"),
        ('{"mode": "custom", "rules": {"segmentation": {"max_tokens": 49}}}', "from 50 to 4000"),
        ('{"mode": "custom", "rules": {"segmentation": {"max_tokens": 4001}}}', "from 50 to 4000"),
        ('{"mode": "custom", "rules": {"segmentation": {"max_tokens": 100, "chunk_overlap": 100}}}', "less than"),
        ('{"mode": "custom", "rules": {"segmentation": {"max_tokens": "x"}}}', "max_tokens"),
        ('{"mode": "custom", "rules": {"pre_processing_rules": [{"id": "other"}]}}', "pre_processing_rules"),
    ],
)
def test_a_rule_that_cannot_be_says_where(rule: str, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        read_process_rule(rule)
