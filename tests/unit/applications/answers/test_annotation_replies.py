"""Answers written by hand."""

from __future__ import annotations

import msgspec
import pytest

from seekway.applications.definition import AnnotationUse, Definition
from seekway.applications.runs.app_service import AppService
from seekway.core.errors import AppUnavailable
from tests.fakes.app_models import AWAY
from tests.unit.applications.house import House

USED = Definition("chat", annotations=AnnotationUse(enabled=True, score_threshold=0.95))


async def test_a_near_question_is_answered_by_hand_without_a_model(house: House) -> None:
    app = await house.app(USED)
    made = await house.store.annotations.add(app.id, "opening hours", "From nine to five.")
    await house.store.annotations.add(app.id, "zzzz", "Sleep well.")
    await house.service.index_annotations(app)
    message = await house.answer(app, "Opening hours?")
    assert (message.answer, message.annotation) == ("From nine to five.", made.id)
    assert house.models.asked() == []
    assert (await house.store.annotations.annotation(app.id, made.id)).hit_count == 1
    other = await house.answer(app, "Quite another matter: xylophones")
    assert (other.answer, other.annotation) == ("Hello there", "")


async def test_changed_and_deleted_annotations_answer_no_more(house: House) -> None:
    app = await house.app(USED)
    made = await house.store.annotations.add(app.id, "opening hours", "From nine to five.")
    await house.service.index_annotations(app)
    assert (await house.answer(app, "opening hours")).annotation == made.id
    await house.store.annotations.change(app.id, made.id, "prices", "Ten.")
    await house.service.index_annotations(app)
    assert (await house.answer(app, "opening hours")).annotation == ""
    assert (await house.answer(app, "prices")).answer == "Ten."
    # Nobody says that it is gone.
    await house.store.annotations.delete(app.id, made.id)
    assert (await house.answer(app, "prices")).answer == "Hello there"


async def test_nothing_is_embedded_where_there_is_nothing_to_find(house: House) -> None:
    app = await house.app(USED)
    await house.answer(app)
    off = await house.app(Definition("chat"), "off")
    await house.store.annotations.add(off.id, "Hi?", "No.")
    await house.service.index_annotations(off)
    house.vectoriser.asked.clear()
    assert (await house.answer(off)).answer == "Hello there"
    assert house.vectoriser.asked == []


async def test_where_embedding_fails_the_model_answers(house: House) -> None:
    app = await house.app(USED)
    await house.store.annotations.add(app.id, "Hi?", "By hand.")
    await house.service.index_annotations(app)
    house.vectoriser.error = AWAY
    assert (await house.answer(app)).answer == "Hello there"


async def test_the_threshold_of_one_takes_the_very_question(house: House) -> None:
    use = msgspec.structs.replace(USED.annotations, score_threshold=1.0)
    app = await house.app(msgspec.structs.replace(USED, annotations=use))
    await house.store.annotations.add(app.id, "How long does it take?", "Long.")
    await house.service.index_annotations(app)
    assert (await house.answer(app, "How long does it take?")).answer == "Long."


async def test_without_an_embedder_indexing_says_what_is_missing(house: House) -> None:
    bare = AppService(house.store, house.models, house.passages, house.log, clock=house.clock)
    app = await house.app(USED)
    with pytest.raises(AppUnavailable, match=r"knowledge\.embedding_model"):
        await bare.index_annotations(app)
    await bare.close()
