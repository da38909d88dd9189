"""``seekway keys``: make, list, rotate and revoke the gateway's virtual keys."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
import msgspec
from rich.table import Table

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.terminal import messages, output
from seekway.core.allowance import Budget
from seekway.core.errors import ConfigError
from seekway.security.key_file import change_keys, read_keys
from seekway.security.keys import (
    MODELS_SCOPE,
    SCOPES,
    KeyRecord,
    Retired,
    digest_of,
    key_state,
    make_secret,
)

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BUDGET = re.compile(r"(?P<amount>\d+(\.\d+)?)\s*(?P<currency>CNY|USD)(/(?P<period>day|month|total))?")


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke the gateway's virtual keys.

    They lie in the file that [keys] file names, only their SHA-256 digests in it.

    \b
    Examples:
      seekway keys create --tenant shop --model deepseek-flash
      seekway keys list
      seekway keys rotate k-3f9c2a71
    """


class _Seconds(click.ParamType[int]):
    """``90d`` or a date: Unix seconds; with ``from_now`` False, a span in seconds."""

    def __init__(self, *, from_now: bool) -> None:
        self.name = "time" if from_now else "span"
        self._from_now = from_now

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if match := re.fullmatch(r"(\d+)([mhdw])", text):
            span = int(match[1]) * _UNITS[match[2]]
            return int(time.time()) + span if self._from_now else span
        if self._from_now:
            try:
                when = datetime.fromisoformat(text)
            except ValueError:
                self.fail(f"{text!r} is neither a span such as 90d nor a date such as 2027-01-31.", param, ctx)
            return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
        if text != "0":
            self.fail(f"{text!r} is not a span such as 30m, 24h, 7d or 2w.", param, ctx)
        return 0


class _Money(click.ParamType[Budget]):
    name = "money"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Budget:
        match = _BUDGET.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a budget such as 100CNY/month, 5USD/day or 1000CNY/total.", param, ctx)
        data = {"amount": float(match["amount"]), "currency": match["currency"], "period": match["period"] or "month"}
        return msgspec.convert(data, Budget)


@keys.command()
@click.option("--tenant", default="", help="Whom the key belongs to.")
@click.option("--id", "key_id", help="The key's public name; default a random one.")
@click.option("--note", default="", help="What it is for; only for you.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it opens; default models.")
@click.option("--model", "models", multiple=True, help="A model it may ask for; default all.")
@click.option("--tag", "tags", multiple=True, help="A tag for routing and limits.")
@click.option("--priority", type=click.IntRange(0, 9), default=1, help="0 is served first and shed last; default 1.")
@click.option("--expires", type=_Seconds(from_now=True), help="A span such as 90d, or a date such as 2027-01-31 (UTC).")
@click.option("--requests-per-second", type=click.FloatRange(min=0, min_open=True), help="Its own limit.")
@click.option("--requests-per-minute", type=click.FloatRange(min=0, min_open=True), help="Its own limit.")
@click.option("--tokens-per-minute", type=click.FloatRange(min=0, min_open=True), help="Its own limit.")
@click.option("--concurrent", type=click.IntRange(1), help="Its own limit of requests at once.")
@click.option("--budget", type=_Money(), help="Its own budget, e.g. 100CNY/month; day, month or total.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def create(
    command_line: CommandLine,
    tenant: str,
    key_id: str | None,
    note: str,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    tags: tuple[str, ...],
    priority: int,
    expires: int | None,
    budget: Budget | None,
    as_json: bool,
    **limits: float | None,
) -> None:
    """Make a key and print it, this once: it is kept nowhere.

    \b
    Examples:
      seekway keys create --tenant shop
      seekway keys create --tenant shop --model deepseek-flash --expires 90d --budget 100CNY/month
      seekway keys create --scope models --scope admin --note "our own console"
      seekway keys create --scope knowledge --tenant shop
      seekway keys create --tenant service --requests-per-second 300 --json
    """
    own = {name: value for name, value in limits.items() if value is not None}
    secret = make_secret(scopes or (MODELS_SCOPE,))
    fields = {
        "id": key_id or f"k-{secrets.token_hex(4)}",
        "digest": digest_of(secret.encode()).hex(),
        "created": int(time.time()),
        "tenant": tenant,
        "note": note,
        "scopes": scopes or (MODELS_SCOPE,),
        "models": models,
        "tags": tags,
        "priority": priority,
        "expires": expires,
        "limits": own or None,
        "budget": msgspec.to_builtins(budget),
    }
    try:
        record = msgspec.convert(fields, KeyRecord)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"The key cannot be made: {error}.") from error

    def add(known: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
        if any(other.id == record.id for other in known):
            raise ConfigError(f"There is a key {record.id} already; take another --id.")
        return (*known, record)

    change_keys(_file(command_line), add)
    _print_secret(record, secret, as_json)


@keys.command("list")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def list_keys(command_line: CommandLine, tenant: str | None, as_json: bool) -> None:
    """List the keys: never the keys themselves, which nobody has.

    \b
    Examples:
      seekway keys list
      seekway keys list --tenant shop --json
    """
    records = [r for r in read_keys(_file(command_line)) if tenant is None or r.tenant == tenant]
    if as_json:
        _print_json([_shown(record) for record in records])
        return
    if not records:
        click.echo("There is no key yet. Make one: seekway keys create --tenant NAME")
        return
    table = Table("id", "tenant", "state", "scopes", "models", "created", "expires", "note", box=None)
    now = time.time()
    for r in records:
        table.add_row(
            r.id,
            r.tenant,
            key_state(r, now),
            " ".join(r.scopes),
            " ".join(r.models) or "all",
            _date(r.created),
            _date(r.expires) if r.expires is not None else "never",
            r.note,
        )
    output().print(table)


@keys.command()
@click.argument("key_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def show(command_line: CommandLine, key_id: str, as_json: bool) -> None:
    """Show one key's particulars.

    \b
    Examples:
      seekway keys show k-3f9c2a71
      seekway keys show k-3f9c2a71 --json
    """
    shown = _shown(_find(read_keys(_file(command_line)), key_id))
    if as_json:
        _print_json(shown)
        return
    for name, value in shown.items():
        click.echo(f"{name:<10} {value if isinstance(value, str) else msgspec.json.encode(value).decode()}")


@keys.command()
@click.argument("key_id")
@click.option("--grace", type=_Seconds(from_now=False), default="24h", help="How long the old key still opens; 0: not.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def rotate(command_line: CommandLine, key_id: str, grace: int, as_json: bool) -> None:
    """Give a key a new secret and print it, this once; the old one still opens for a while.

    \b
    Examples:
      seekway keys rotate k-3f9c2a71
      seekway keys rotate k-3f9c2a71 --grace 0
      seekway keys rotate k-3f9c2a71 --grace 7d
    """
    path, now = _file(command_line), int(time.time())
    secret = make_secret(_find(read_keys(path), key_id).scopes)

    def turn(record: KeyRecord) -> KeyRecord:
        if record.revoked is not None:
            raise ConfigError(f"The key {key_id} is revoked; make a new one with seekway keys create.")
        kept = tuple(old for old in record.retired if old.until > now)
        if grace:
            kept = (*kept, Retired(record.digest, now + grace))
        return msgspec.structs.replace(record, digest=digest_of(secret.encode()).hex(), retired=kept)

    record = _change_one(path, key_id, turn)
    _print_secret(record, secret, as_json)


@keys.command()
@click.argument("key_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_command_line
def revoke(command_line: CommandLine, key_id: str, yes: bool) -> None:
    """Close a key for good, its rotated predecessors too; its line stays, for the record.

    \b
    Examples:
      seekway keys revoke k-3f9c2a71
      seekway keys revoke k-3f9c2a71 --yes
    """
    path = _file(command_line)
    _find(read_keys(path), key_id)
    if not yes:
        click.confirm(f"Revoke {key_id}?", abort=True, err=True)
    now = int(time.time())
    _change_one(path, key_id, lambda r: msgspec.structs.replace(r, revoked=r.revoked or now, retired=()))
    messages().print(f"{key_id} is revoked. A gateway that runs closes it when it reads the file again.")


def _file(command_line: CommandLine) -> Path:
    file = command_line.settings.keys.file
    if file is None:
        raise ConfigError('Say where the keys lie: [keys] file = "keys.jsonl" in seekway.toml, or SEEKWAY_KEYS__FILE.')
    return Path(file).expanduser()


def _find(records: tuple[KeyRecord, ...], key_id: str) -> KeyRecord:
    for record in records:
        if record.id == key_id:
            return record
    raise ConfigError(f"There is no key {key_id}; see seekway keys list.")


def _change_one(path: Path, key_id: str, turn: Callable[[KeyRecord], KeyRecord]) -> KeyRecord:
    def change(records: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
        _find(records, key_id)
        return tuple(turn(record) if record.id == key_id else record for record in records)

    return _find(change_keys(path, change), key_id)


def _shown(record: KeyRecord) -> dict[str, object]:
    """A record without its digests, with dates that people read."""
    fields = cast("dict[str, object]", msgspec.to_builtins(record))
    del fields["digest"]
    fields.update(state=key_state(record, time.time()), created=_date(record.created), scopes=record.scopes)
    fields.update({name: _date(when) for name, when in _moments(record) if when is not None})
    if record.retired:
        fields["retired"] = [f"opens until {_date(old.until)}" for old in record.retired]
    return fields


def _moments(record: KeyRecord) -> tuple[tuple[str, int | None], ...]:
    return ("expires", record.expires), ("revoked", record.revoked)


def _print_secret(record: KeyRecord, secret: str, as_json: bool) -> None:
    if as_json:
        _print_json({"id": record.id, "key": secret})
        return
    click.echo(secret)
    messages().print(f"This is the key {record.id}. It is shown this once; keep it safe.")


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _date(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
