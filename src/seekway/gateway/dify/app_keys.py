"""Which application a key opens."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from seekway.applications.records import AppRecord
from seekway.applications.store.apps import AppRows
from seekway.core.caller import ANONYMOUS, Caller
from seekway.core.errors import AuthenticationFailed, NotFound, PermissionDenied
from seekway.gateway.authentication import Authenticator
from seekway.gateway.dify.keys import bearer_token
from seekway.pipeline.exchange import Headers

_PREFIX: Final = "app-"
_FRESH_S: Final = 1.0
_MOST_KNOWN: Final = 1000


def app_caller(headers: Headers, authenticator: Authenticator) -> Caller:
    """Whose application a key opens, and which: :attr:`Caller.app`, empty where any key opens the only one there is.

    On an open gateway the key's text names the application: ``app-SLUG``. Raises ``AuthenticationFailed`` for a key of another kind.
    """
    token = bearer_token(headers)
    if authenticator.open:
        if not token.startswith(_PREFIX):
            raise _invalid("here the key app-SLUG opens the application SLUG.")
        return ANONYMOUS
    try:
        caller = authenticator.identify(headers)
    except AuthenticationFailed as error:
        raise _invalid("make one with seekway keys create --app SLUG.") from error
    if not caller.app:
        raise _invalid("make one with seekway keys create --app SLUG.")
    return caller


class OpenedApps:
    """Finds the application of a key; one that was read less than a second ago is not read again. ``ticks`` goes in seconds."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._known: OrderedDict[tuple[str, str], tuple[float, AppRecord]] = OrderedDict()

    async def open(self, headers: Headers, authenticator: Authenticator, apps: AppRows) -> tuple[Caller, AppRecord]:
        """Raises ``AuthenticationFailed``, and ``PermissionDenied`` where the application is gone or switched off."""
        caller = app_caller(headers, authenticator)
        slug = caller.app or bearer_token(headers).removeprefix(_PREFIX)
        now, key = self._ticks(), (caller.tenant, slug)
        read_at, app = self._known.get(key, (now - _FRESH_S, None))
        if app is None or now - read_at >= _FRESH_S:
            app = await self._read(caller, slug, apps)
            self._known[key] = (now, app)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        if not app.enabled:
            raise PermissionDenied("The app's API service has been disabled.")
        return caller, app

    def forget(self, app: AppRecord) -> None:
        """It has changed."""
        for key in [key for key, (_, known) in self._known.items() if known.id == app.id]:
            del self._known[key]

    async def _read(self, caller: Caller, slug: str, apps: AppRows) -> AppRecord:
        try:
            return await apps.by_slug(caller.tenant, slug)
        except NotFound as error:
            if caller.app:
                raise PermissionDenied("The app no longer exists.") from error
            there = await apps.all(caller.tenant)
            if len(there) != 1:
                raise _invalid("here the key app-SLUG opens the application SLUG.") from error
            return there[0]


def _invalid(advice: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"Access token is invalid: {advice}")
