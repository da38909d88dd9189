"""What is counted over labelled texts, against cases counted by hand."""

from __future__ import annotations

import pytest

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.evaluation import (
    Confusion,
    Example,
    Judged,
    Rate,
    Reaction,
    evaluate,
    read_examples,
    tables,
)


def judged(label: str, reaction: Reaction, *categories: str, source: str = "") -> Judged:
    return Judged(Example("a text", label, source=source), reaction, categories)


SOME = [
    judged("benign", "pass", source="a"),
    judged("benign", "pass", source="a"),
    judged("benign", "flag", "drugs", source="b"),
    judged("benign", "block", "sexual", source="b"),
    judged("drugs", "block", "drugs", source="a"),
    judged("drugs", "mask", "fraud", "drugs", source="b"),
    judged("drugs", "flag", "fraud", source="b"),
    judged("fraud", "pass", source="a"),
    judged("fraud", "block", "drugs", "sexual", source="a"),
]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3, and by hand for the ends.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert Rate(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_is_told_as_such() -> None:
    assert Rate(0, 0).share is None
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert str(Rate(0, 0)) == "–"
    assert str(Rate(1, 29)) == "3.4% (0.6–17.2, 1 of 29)"


def test_recall_counts_what_was_acted_on_flagged_and_named() -> None:
    evaluation = evaluate(SOME)
    assert evaluation.recall.acted == Rate(3, 5)
    assert evaluation.recall.noticed == Rate(4, 5)
    assert evaluation.recall.named == Rate(2, 5)
    by_category = {one.name: one for one in evaluation.by_category}
    assert list(by_category) == ["drugs", "fraud"]
    assert by_category["drugs"].acted == Rate(2, 3)
    assert by_category["drugs"].named == Rate(2, 3)
    assert by_category["fraud"].noticed == Rate(1, 2)
    assert [(one.name, one.acted) for one in evaluation.by_source] == [("a", Rate(2, 3)), ("b", Rate(1, 2))]
    assert [(one.name, one.acted) for one in evaluation.by_part] == [("input", Rate(3, 5))]


def test_false_alarms_are_told_where_they_are_acted_on_and_where_only_flagged() -> None:
    evaluation = evaluate(SOME)
    assert evaluation.false_alarms.acted == Rate(1, 4)
    assert evaluation.false_alarms.noticed == Rate(2, 4)
    assert [(one.name, one.acted) for one in evaluation.alarms_by_source] == [("a", Rate(0, 2)), ("b", Rate(1, 2))]


def test_the_texts_behind_the_errors_are_kept() -> None:
    evaluation = evaluate(SOME)
    assert evaluation.alarmed == (SOME[3],)
    assert evaluation.missed == (SOME[6], SOME[7])


def test_each_text_counts_once_in_the_confusion() -> None:
    assert evaluate(SOME).confusion == Confusion(
        labels=("benign", "drugs", "fraud"),
        found=("nothing", "drugs", "fraud", "sexual"),
        counts=((2, 1, 0, 1), (0, 2, 1, 0), (1, 1, 0, 0)),
    )


def test_precision_counts_every_category_found() -> None:
    assert evaluate(SOME).precision == {"drugs": Rate(2, 4), "fraud": Rate(0, 2), "sexual": Rate(0, 2)}


def test_tables_say_each_figure_once() -> None:
    shown = tables(evaluate(SOME))
    assert [table.title for table in shown] == [
        "Overall",
        "Recall by category",
        "Recall by source",
        "False alarms by source",
        "Of the texts a category was found in, those labelled with it",
        "Label (rows) and what was found (columns)",
    ]
    assert all(len(row) == len(table.head) for table in shown for row in table.rows)


def test_no_texts_of_a_kind_give_no_figures_for_it() -> None:
    shown = tables(evaluate([judged("benign", "pass")]))
    assert [table.title for table in shown] == ["Overall", "Label (rows) and what was found (columns)"]
    assert shown[0].rows[0] == ("recall", "–", "–")


def test_a_file_is_read_with_its_line_numbers() -> None:
    lines = [
        '{"text": "你好", "label": "benign"}\n'.encode(),
        b"\n",
        b'{"text": "x", "label": "drugs", "part": "output", "source": "s"}',
    ]
    assert read_examples(lines, "f.jsonl", ["drugs"]) == [
        Example("你好", "benign", line=1),
        Example("x", "drugs", "output", "s", line=3),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "truncated"),
        (b'["x"]', "Expected `object`, got `array`"),
        (b'{"text": "x"}', "missing required field `label`"),
        (b'{"text": 3, "label": "benign"}', "Expected `str`, got `int`"),
        (b'{"text": "x", "label": "benign", "part": "answer"}', "Invalid enum value 'answer'"),
        (b'{"text": "x", "label": "benign", "sorce": "s"}', "unknown field `sorce`"),
        (b'{"text": "x", "label": "benign", "line": 7}', "line is not for files to give"),
        (b'{"text": " ", "label": "benign"}', "text is empty"),
        (b'{"text": "x", "label": ""}', "label is empty"),
        (b'{"text": "x", "label": "drug"}', "there is no category 'drug'; there are benign, drugs"),
        (b'{"text": "\xff", "label": "benign"}', "utf-8"),
        (b'{"text": "\\ud800", "label": "benign"}', "surrogate"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_reason(line: bytes, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_examples([b'{"text": "x", "label": "benign"}', line], "f.jsonl", ["drugs"])
    assert "f.jsonl: line 2: " in refused.value.message
    assert reason in refused.value.message


def test_many_bad_lines_are_counted_and_the_first_twenty_told() -> None:
    with pytest.raises(ConfigError) as refused:
        read_examples([b"{"] * 25, "f.jsonl")
    assert "line 20:" in refused.value.message
    assert "line 21:" not in refused.value.message
    assert "and 5 more" in refused.value.message


def test_a_file_without_examples_is_refused() -> None:
    with pytest.raises(ConfigError, match="no examples"):
        read_examples([b"\n"], "f.jsonl")
