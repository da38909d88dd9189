"""What of a passage is searched, and what is embedded for it."""

from __future__ import annotations

from seekway.knowledge.passage import Passage, embedded_texts, searched_texts


def test_a_text_and_each_child_is_embedded_with_the_titles_above_it() -> None:
    assert embedded_texts(Passage(1, "14 days.", 0, 8, heading="Rules / Returns")) == ("Rules / Returns\n14 days.",)
    parent = Passage(1, "One. Two.", 0, 9, keys=("One.", "Two."), heading="Rules")
    assert (searched_texts(parent), embedded_texts(parent)) == (("One.", "Two."), ("Rules\nOne.", "Rules\nTwo."))


def test_a_question_and_a_text_without_titles_speak_for_themselves() -> None:
    assert embedded_texts(Passage(1, "How long?", 0, 9, answer="14 days.", heading="Rules")) == ("How long?",)
    assert embedded_texts(Passage(1, "14 days.", 0, 8)) == ("14 days.",)
