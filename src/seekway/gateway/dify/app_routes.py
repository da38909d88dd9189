"""Every route of Dify's app endpoints and what answers it."""

from __future__ import annotations

from typing import Final, NamedTuple

from starlette.routing import Match, Route
from starlette.types import Scope

from seekway.gateway.dify import (
    annotation_list,
    app_files,
    app_info,
    audio,
    conversations,
    generate,
    messages,
    workflows,
)
from seekway.gateway.dify.app_call import Handler, app_endpoint
from seekway.gateway.dify.app_desk import AppDesk
from seekway.gateway.front import Front

_CONVERSATION: Final = "/v1/conversations/{conversation_id}"
_REPLY: Final = "/v1/apps/annotation-reply/{action}"


class AppRoute(NamedTuple):
    method: str
    path: str
    handler: Handler
    also: tuple[str, ...] = ()
    """Other paths of the same, which older servers and clients have."""


# A route that names what another takes as a parameter stands before it.
APP_ROUTES: Final = (
    AppRoute("POST", "/v1/chat-messages", generate.ask_chat),
    AppRoute("POST", "/v1/chat-messages/{task_id}/stop", generate.stop_chat),
    AppRoute("POST", "/v1/completion-messages", generate.ask_completion),
    AppRoute("POST", "/v1/completion-messages/{task_id}/stop", generate.stop_completion),
    AppRoute("GET", "/v1/messages", messages.list_messages),
    AppRoute("GET", "/v1/messages/{message_id}/suggested", messages.suggested),
    AppRoute("POST", "/v1/messages/{message_id}/feedbacks", messages.rate),
    AppRoute("GET", "/v1/app/feedbacks", messages.list_feedbacks),
    AppRoute("GET", "/v1/conversations", conversations.list_conversations),
    AppRoute("POST", f"{_CONVERSATION}/name", conversations.rename),
    AppRoute("DELETE", _CONVERSATION, conversations.delete),
    AppRoute("GET", f"{_CONVERSATION}/variables", conversations.list_variables),
    AppRoute("PUT", f"{_CONVERSATION}/variables/{{variable_id}}", conversations.set_variable),
    AppRoute("GET", "/v1/end-users/{end_user_id}", conversations.show_end_user),
    AppRoute("POST", "/v1/files/upload", app_files.upload),
    AppRoute("GET", "/v1/files/{file_id}/preview", app_files.preview),
    AppRoute("POST", "/v1/audio-to-text", audio.audio_to_text),
    AppRoute("POST", "/v1/text-to-audio", audio.text_to_audio),
    AppRoute("GET", "/v1/info", app_info.info),
    AppRoute("GET", "/v1/parameters", app_info.parameters),
    AppRoute("GET", "/v1/meta", app_info.meta),
    AppRoute("GET", "/v1/site", app_info.site),
    AppRoute("POST", "/v1/apps/annotations", annotation_list.create),
    AppRoute("GET", "/v1/apps/annotations", annotation_list.list_all),
    AppRoute("PUT", "/v1/apps/annotations/{annotation_id}", annotation_list.change),
    AppRoute("DELETE", "/v1/apps/annotations/{annotation_id}", annotation_list.delete),
    AppRoute("POST", _REPLY, annotation_list.switch),
    AppRoute("GET", f"{_REPLY}/status/{{job_id}}", annotation_list.job_status),
    AppRoute("POST", "/v1/workflows/run", workflows.no_workflow),
    AppRoute("POST", "/v1/workflows/{workflow_id}/run", workflows.no_workflow),
    AppRoute("POST", "/v1/workflows/tasks/{task_id}/stop", workflows.no_workflow, ("/v1/workflows/{task_id}/stop",)),
    AppRoute("GET", "/v1/workflows/run/{workflow_run_id}", workflows.no_workflow),
    AppRoute("GET", "/v1/workflow/{workflow_run_id}/events", workflows.no_workflow),
    AppRoute("GET", "/v1/workflows/logs", workflows.no_workflow),
    AppRoute("GET", "/v1/form/human_input/{form_token}", workflows.no_workflow),
    AppRoute("POST", "/v1/form/human_input/{form_token}", workflows.no_workflow),
)

_MESSAGES: Final = "/v1/messages"
_ANTHROPIC: Final = (b"anthropic-version", b"x-api-key")
"""Whoever sends these reads Anthropic's errors where the path is Anthropic's, too."""


def app_routes(front: Front, desk: AppDesk) -> list[Route]:
    return [
        _NamedRoute(path, app_endpoint(front, desk, route.handler), methods=[route.method])
        for route in APP_ROUTES
        for path in (route.path, *route.also)
    ]


class _NamedRoute(Route):
    """A plain route, for a question to an application shall not pay for FastAPI's; it leaves its name where the record of a request looks."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if self.path == _MESSAGES and any(name in _ANTHROPIC for name, _ in scope["headers"]):
            return Match.NONE, child
        if match is not Match.NONE:
            child["route"] = self
        return match, child
