"""The names clients ask for and the models they mean."""

from __future__ import annotations

from collections.abc import Mapping

from seekway.pipeline.directory import BackendDirectory, Route

DEEPSEEK_NAMES: Mapping[str, bool | None] = {
    "deepseek-chat": False,
    "deepseek-reasoner": True,
    "deepseek-flash": None,
    "deepseek-v4-flash": None,
    "deepseek-v4-pro": None,
}
"""DeepSeek's model names, and whether the name itself turns thinking on or off (api-docs.deepseek.com, "Models & Pricing")."""


class ModelNames:
    """``aliases`` are the operator's; DeepSeek's own names mean ``default_model`` unless a backend serves them.

    Without ``default_model`` they mean the first chat model, one of DeepSeek's own cloud before others.
    """

    def __init__(self, routes: BackendDirectory, aliases: Mapping[str, str], default_model: str | None) -> None:
        self._routes = routes
        self._aliases = aliases
        self._default_model = default_model

    def known(self, name: str) -> Route | None:
        """Where a request for ``name`` goes, when a ready model is known under it; asks nobody."""
        serving = self._routes.serving(self.resolve(name))
        return serving.routes[0] if serving is not None and serving.routes else None

    def resolve(self, name: str) -> str:
        """The model that ``name`` means now, without waiting; ``name`` itself where it means nothing else."""
        name = self._aliases.get(name, name)
        if name not in DEEPSEEK_NAMES or self._routes.serving(name) is not None:
            return name
        return self.default() or name

    def named(self, name: str) -> bool:
        """Whether ``name`` itself is an alias or a model's name, ready or not; asks nobody."""
        return name in self._aliases or self._routes.find(name) is not None

    async def route(self, name: str) -> Route:
        """Where a request for ``name`` goes; raises as :meth:`BackendDirectory.route`."""
        meant = self.resolve(name)
        if meant in DEEPSEEK_NAMES and self._routes.serving(meant) is None:
            # None of DeepSeek's names is known and no chat model either: nobody may have answered yet.
            await self._routes.refresh()
            meant = self.resolve(name)
        return await self._routes.route(meant)

    def thinking(self, name: str) -> bool | None:
        """Whether asking by ``name`` turns thinking on (True) or off (False)."""
        return DEEPSEEK_NAMES.get(self._aliases.get(name, name))

    def default(self) -> str | None:
        """The model that DeepSeek's names mean now; None before a chat model is known."""
        return self._default_model or self._routes.first("chat", "deepseek") or self._routes.first("chat")
