"""``seekway chat``: a conversation with the running gateway in the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
import sys
from contextlib import aclosing

import click
from rich.text import Text

from seekway.app.chat_client import ChatClient, ChatOptions, Finished, Turn, open_session
from seekway.app.chat_screen import ChatScreen
from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.terminal import messages, output
from seekway.core.errors import ConfigError, InvalidRequest, ModelNotFound, SeekwayError
from seekway.core.settings import Settings
from seekway.engine.spec import EMBEDDING_MODEL

_HELP = "/model NAME  another model    /system TEXT  instructions    /reset  forget    /exit  leave    Ctrl-C  stop the answer"


@click.command()
@click.argument("question", required=False)
@click.option("--model", help="Model to ask; default the gateway's.")
@click.option("--system", help="Instructions before the conversation.")
@click.option("--url", help="The gateway, e.g. http://127.0.0.1:8000; default from the settings.")
@click.option("--api-key", envvar="SEEKWAY_API_KEY", show_envvar=True, help="Key of a gateway that asks for one.")
@click.option("--max-tokens", type=click.IntRange(1), help="Longest answer.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 is the likeliest answer.")
@click.option("--thinking/--no-thinking", default=True, help="Show what a reasoning model thinks.")
@click.option("--stats", is_flag=True, help="Show tokens/s and time to the first token.")
@pass_command_line
def chat(
    command_line: CommandLine,
    question: str | None,
    model: str | None,
    system: str | None,
    url: str | None,
    api_key: str | None,
    max_tokens: int | None,
    temperature: float | None,
    thinking: bool,
    stats: bool,
) -> None:
    """Chat with the running gateway, or ask it one QUESTION.

    Text piped in is put after the question, or is the question. Ctrl-C stops an answer, Ctrl-D leaves.

    \b
    Examples:
      seekway chat
      seekway chat "What is 17 * 23?" --stats
      git diff | seekway chat "Write a commit message for this"
    """
    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    asked = "\n\n".join(text for text in (question, piped) if text)
    conversation = Conversation(
        url or gateway_url(command_line.settings),
        api_key,
        ChatScreen(output(), messages(), show_thinking=thinking),
        ChatOptions(max_tokens, temperature),
        stats=stats,
    )
    conversation.system = system
    conversation.model = model or asyncio.run(conversation.default_model(command_line.settings))
    if asked:
        if not conversation.ask(asked):
            raise click.exceptions.Exit(130)
    elif sys.stdin.isatty():
        _converse(conversation)
    else:
        raise InvalidRequest("Nothing was asked: standard input is empty.")


class Conversation:
    """The turns so far and the way to the gateway. ``system`` and ``model`` may change between turns."""

    def __init__(self, url: str, api_key: str | None, screen: ChatScreen, options: ChatOptions, *, stats: bool) -> None:
        self._url = url
        self._api_key = api_key
        self._screen = screen
        self._options = options
        self._stats = stats
        self._turns: list[Turn] = []
        self.model = ""
        self.system: str | None = None

    async def default_model(self, settings: Settings) -> str:
        """What the settings call the default, or the first model served that is no embedding model."""
        async with open_session() as session:
            names = await ChatClient(session, self._url, self._api_key).models()
        if settings.default_model in names:
            return settings.default_model
        for name in names:
            if name != EMBEDDING_MODEL:
                return name
        raise ModelNotFound("The gateway serves no chat model; see seekway models list and seekway doctor.")

    def reset(self) -> None:
        self._turns = []

    def ask(self, question: str) -> bool:
        """Stream the answer to the screen; False when Ctrl-C stopped it. Raises ``SeekwayError``; then the question is forgotten."""
        answer: list[str] = []
        finished: list[Finished] = []
        self._screen.begin()
        try:
            asyncio.run(self._stream(question, answer, finished))
        except (KeyboardInterrupt, asyncio.CancelledError):
            self._screen.end(None, stats=self._stats)
        else:
            self._screen.end(finished[0], stats=self._stats)
        if answer:
            self._turns += [Turn("user", question), Turn("assistant", "".join(answer))]
        return bool(finished)

    async def _stream(self, question: str, answer: list[str], finished: list[Finished]) -> None:
        _stop_at_ctrl_c()
        turns = [*([Turn("system", self.system)] if self.system else []), *self._turns, Turn("user", question)]
        async with open_session() as session:
            client = ChatClient(session, self._url, self._api_key)
            async with aclosing(client.answer(self.model, turns, self._options)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        finished.append(event)
                        continue
                    self._screen.say(event)
                    if not event.thinking:
                        answer.append(event.text)


def _stop_at_ctrl_c() -> None:
    """Cancel the running task. ``asyncio.run`` does so too, but does not wake a loop that is just about to wait."""
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)


def gateway_url(settings: Settings) -> str:
    """Where the gateway of these settings listens; raises ``ConfigError`` when its port is not fixed."""
    gateway = settings.gateway
    if gateway.port == 0:
        raise ConfigError("gateway.port is 0, so the gateway's port is not known; name it with --url.")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(gateway.host, gateway.host)
    return f"http://[{host}]:{gateway.port}" if ":" in host else f"http://{host}:{gateway.port}"


def _converse(conversation: Conversation) -> None:
    notes = messages()
    with contextlib.suppress(ImportError):
        # Importing it gives the prompt arrow keys and a history.
        importlib.import_module("readline")
    notes.print(Text(f"{conversation.model} · /help for commands, Ctrl-D to leave", style="dim"))
    while True:
        try:
            line = click.prompt(">", prompt_suffix=" ", default="", show_default=False).strip()
        except click.Abort:
            # click makes both Ctrl-C and Ctrl-D an Abort; Ctrl-C at an empty prompt leaves too, as in a shell's cat.
            notes.print()
            return
        if line.startswith("/"):
            if not _command(conversation, line):
                return
        elif line:
            try:
                conversation.ask(line)
            except SeekwayError as error:
                notes.print(Text(f"seekway: {error.message}", style="red"))
            notes.print()


def _command(conversation: Conversation, line: str) -> bool:
    """Do what a line that begins with / says; False to leave."""
    notes = messages()
    name, _, rest = line.partition(" ")
    rest = rest.strip()
    match name:
        case "/exit" | "/quit":
            return False
        case "/reset":
            conversation.reset()
            notes.print("The conversation is forgotten.", style="dim")
        case "/model" if rest:
            conversation.model = rest
            notes.print(f"Asking {rest} from now on.", style="dim")
        case "/model":
            notes.print(f"The model is {conversation.model}; /model NAME takes another.", style="dim")
        case "/system":
            conversation.system = rest or None
            notes.print("Instructions set." if rest else "Instructions removed.", style="dim")
        case _:
            notes.print(_HELP, style="dim")
    return True
