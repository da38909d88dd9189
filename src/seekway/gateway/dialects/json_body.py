"""A request's JSON body as a typed struct, with the fields the struct does not know kept aside."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import msgspec

from seekway.core.errors import InvalidParameter, InvalidRequest, MalformedBody, SeekwayError
from seekway.core.types import GenerateRequest

BodyT = TypeVar("BodyT", bound=msgspec.Struct)
ReadT = TypeVar("ReadT")

_pack = msgspec.msgpack.Encoder().encode
_BOM = b"\xef\xbb\xbf"
_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")


def sendable(request: GenerateRequest) -> GenerateRequest:
    """``request``, whose free-form parts can be written to a worker's pipe.

    Raises ``InvalidRequest`` for a whole number of more than 64 bits in them, which decodes and cannot be encoded.
    """
    schema = request.response_format.schema
    if request.extra or request.tools or schema is not None:
        try:
            _pack((request.extra, request.tools, schema))
        except (OverflowError, RecursionError) as error:
            raise InvalidRequest("A number in the body is too large, or a value is nested too deeply.") from error
    return request


class BodyDecoder(Generic[BodyT]):
    """Decodes into ``struct``; safe to share.

    Raises ``MalformedBody`` (400) for what is not JSON, ``InvalidRequest`` (400) for JSON that is no object,
    ``InvalidParameter`` (422) with the field's path for a field of the wrong type or out of bounds.
    """

    def __init__(self, struct: type[BodyT]) -> None:
        self._known = frozenset(field.encode_name for field in msgspec.structs.fields(struct))
        self._typed = msgspec.json.Decoder(struct)
        self._raw = msgspec.json.Decoder(dict[str, msgspec.Raw])
        exact = msgspec.defstruct(struct.__name__, (), bases=(struct,), forbid_unknown_fields=True)
        self._exact = msgspec.json.Decoder(cast("type[BodyT]", exact))

    def decode_known(self, body: bytes) -> BodyT:
        """For dialects that pass nothing on: what the struct does not know is skipped."""
        return self._decode(body, self._typed.decode)

    def decode(self, body: bytes) -> tuple[BodyT, dict[str, Any]]:
        """The struct, and by name what it does not know."""
        return self._decode(body, self._with_extra)

    def _with_extra(self, body: bytes) -> tuple[BodyT, dict[str, Any]]:
        try:
            # Most bodies hold nothing unknown, and are read once.
            return self._exact.decode(body), {}
        except msgspec.ValidationError:
            pass
        fields = self._raw.decode(body)
        decoded = self._typed.decode(body)
        return decoded, {name: msgspec.json.decode(raw) for name, raw in fields.items() if name not in self._known}

    def _decode(self, body: bytes, decode: Callable[[bytes], ReadT]) -> ReadT:
        body = body.removeprefix(_BOM)
        if not body.strip():
            raise MalformedBody("The body is empty; send a JSON object.")
        try:
            # Python's own decoding is the check for UTF-8 in all places, skipped fields too.
            str(body, "utf-8")
            return decode(body)
        except msgspec.ValidationError as error:
            raise _refusal(str(error)) from error
        except UnicodeDecodeError as error:
            raise MalformedBody(f"The body is not valid UTF-8 (byte {error.start}).") from error
        except RecursionError as error:
            raise MalformedBody("The body is nested too deeply.") from error
        except msgspec.DecodeError as error:
            raise MalformedBody(f"The body is not valid JSON: {error}.") from error


def _refusal(text: str) -> SeekwayError:
    match = _PATH.match(text)
    what, path = (match["what"], match["path"] or "") if match else (text, "")
    param = path.removeprefix(".")
    if missing := _MISSING.search(what):
        name = f"{param}.{missing['name']}" if param else missing["name"]
        return InvalidParameter(f"{name} is missing.", param=name)
    if not param:
        return InvalidRequest(f"The body must be a JSON object with numbers in range: {what}.")
    return InvalidParameter(f"{param}: {what}.", param=param)
