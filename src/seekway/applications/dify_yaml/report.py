"""What became of a file's parts on its way in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from seekway.applications.records import AppRecord


class Change(msgspec.Struct, frozen=True):
    """Something that is not as the file has it; ``line`` is where it stands there, ``path`` its dotted name."""

    line: int
    path: str
    what: str


class Imported(msgspec.Struct, frozen=True):
    app: AppRecord
    changes: tuple[Change, ...]


class Here(msgspec.Struct, frozen=True):
    """What a file's names are held against.

    ``models`` are those that can be asked (None: not known, so all are taken as they are), ``datasets`` the tenant's knowledge bases, name by id; ``tools`` the settings' providers of tools.
    ``model_names`` and ``dataset_names`` say what a name or id of the file is called here.
    """

    models: Sequence[str] | None = None
    datasets: Mapping[str, str] = {}
    tools: Sequence[str] = ()
    reranks: bool = False
    model_names: Mapping[str, str] = {}
    dataset_names: Mapping[str, str] = {}

    def dataset(self, name: str) -> str | None:
        """The id of the knowledge base that the file calls ``name``, by the mapping, its id or its name."""
        wanted = self.dataset_names.get(name, name)
        if wanted in self.datasets:
            return wanted
        return next((key for key, title in self.datasets.items() if title == wanted), None)
