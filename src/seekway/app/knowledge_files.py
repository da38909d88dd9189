"""Files on their way into a knowledge base."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from seekway.core.errors import InvalidRequest
from seekway.core.sections.knowledge import SourceForm, SourceSettings
from seekway.knowledge.chunking.process_rule import CleaningSwitch, Form, ProcessRule, Rules, Segmentation
from seekway.knowledge.ingest.records import NewDocument
from seekway.knowledge.parsing.parse import readable

_FORMS: Final[dict[SourceForm, Form]] = {
    "general": "text_model",
    "parent-child": "hierarchical_model",
    "question-answer": "qa_model",
}


class FoundFile(NamedTuple):
    """``name`` is its way from the folder it was found in, with ``/`` between."""

    path: Path
    name: str


class FoundFiles(NamedTuple):
    """``others`` counts those of kinds that cannot be read."""

    files: list[FoundFile]
    others: int


def find_files(path: Path) -> FoundFiles:
    """A file as it is; of a folder all that can be read, by name. Hidden files and folders are left out, links to folders not followed.

    Raises ``InvalidRequest`` where there is nothing.
    """
    if path.is_file():
        return FoundFiles([FoundFile(path, path.name)], 0)
    if not path.is_dir():
        raise InvalidRequest(f"There is no file or folder {path}.")
    found: list[FoundFile] = []
    others = 0
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if name.startswith(".") or not file.is_file():
                continue
            if readable(name):
                found.append(FoundFile(file, file.relative_to(path).as_posix()))
            else:
                others += 1
    return FoundFiles(found, others)


def new_document(file: FoundFile, how: SourceSettings) -> NewDocument:
    """Raises ``InvalidRequest`` for a file that cannot be read, and what the rule's parts raise."""
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{file.path} cannot be read: {error.strerror}.") from error
    return NewDocument(file.name, data, form=_FORMS[how.form], rule=rule_of(how))


def rule_of(how: SourceSettings) -> ProcessRule:
    plain = SourceSettings(how.name, how.path, how.tenant)
    if msgspec.structs.replace(how, form="general") == plain and how.form != "parent-child":
        return ProcessRule()
    switches: Sequence[CleaningSwitch] = (
        CleaningSwitch("remove_extra_spaces", how.remove_spaces),
        CleaningSwitch("remove_urls_emails", how.remove_addresses),
    )
    return ProcessRule(
        "hierarchical" if how.form == "parent-child" else "custom",
        Rules(
            tuple(switches),
            Segmentation(how.separator, how.max_tokens, how.overlap_tokens),
            "full-doc" if how.whole_documents else "paragraph",
            Segmentation("\n", how.child_max_tokens, 0),
        ),
    )
