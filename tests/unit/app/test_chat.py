"""The terminal chat: thinking apart from the answer, one line for every failure, Ctrl-C stops the answer and not the chat."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import sys
import termios
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from rich.console import Console

from seekway.app.chat_client import Finished, Said
from seekway.app.chat_screen import ChatScreen, stats_line
from seekway.app.commands.chat import gateway_url
from seekway.core.errors import ConfigError
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.settings import Settings
from tests.fakes.chat_gateway import THOUGHTFUL, ChatGateway, chunk, event

LIMIT_S = 30


@pytest.fixture
async def gateway() -> AsyncIterator[ChatGateway]:
    async with ChatGateway([]) as running:
        yield running


async def chat(gateway: ChatGateway | str, *arguments: str, stdin: str = "") -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error of ``seekway chat``."""
    url = gateway if isinstance(gateway, str) else gateway.url
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "seekway.app", "chat", "--url", url, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        out, err = await child.communicate(stdin.encode())
    return child.returncode, out.decode(), err.decode()


async def test_a_pipe_gets_the_answer_alone(gateway: ChatGateway) -> None:
    gateway.answers = [[*THOUGHTFUL]]
    code, out, err = await chat(gateway, "2+2?", "--stats")
    assert (code, out) == (0, "It is four.\n")
    assert "thinking\nHm, easy." in err
    assert "5 tokens in" in err
    assert "4 prompt tokens from the cache" in err
    assert gateway.bodies[0]["model"] == "smollm2:135m"
    assert gateway.bodies[0]["messages"] == [{"role": "user", "content": "2+2?"}]


async def test_piped_text_follows_the_question(gateway: ChatGateway) -> None:
    gateway.answers = [[*THOUGHTFUL]]
    await chat(gateway, "Sum up:", "--system", "Be brief.", "--max-tokens", "7", stdin="a long text\n")
    assert gateway.bodies[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Sum up:\n\na long text"},
    ]
    assert gateway.bodies[0]["max_tokens"] == 7
    assert "temperature" not in gateway.bodies[0]


async def test_events_cut_anywhere_and_comments_are_read(gateway: ChatGateway) -> None:
    stream = b"".join([b": keep-alive\n\n", *THOUGHTFUL]).replace(b"\n", b"\r\n")
    gateway.answers = [[stream[start : start + 7] for start in range(0, len(stream), 7)]]
    assert (await chat(gateway, "2+2?"))[:2] == (0, "It is four.\n")


async def test_no_question_is_one_line(gateway: ChatGateway) -> None:
    assert await chat(gateway) == (1, "", "seekway: Nothing was asked: standard input is empty.\n")


async def test_a_gateway_that_is_away_is_one_line() -> None:
    async with ChatGateway([]) as gone:
        pass
    code, out, err = await chat(gone.url, "hello")
    assert (code, out) == (1, "")
    assert err == f"seekway: No gateway answers at {gone.url}; start one with seekway up, or name it with --url.\n"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([chunk(content="It")], "The answer broke off"),
        ([event({"error": {"message": "The engine crashed.", "code": "engine_crashed"}})], "The engine crashed."),
        ([b"data: {broken\n\n"], "an event that cannot be read"),
        ([b"x" * 5_000_000], "a line without an end"),
    ],
    ids=["broken off", "error event", "no JSON", "endless line"],
)
async def test_a_bad_answer_is_one_line(gateway: ChatGateway, answer: Sequence[bytes], sentence: str) -> None:
    gateway.answers = [[*answer]]
    code, _, err = await chat(gateway, "hello")
    assert code == 1
    assert sentence in err
    assert err.count("\n") == 1


async def test_what_the_gateway_refuses_is_said(gateway: ChatGateway) -> None:
    assert await chat(gateway, "hello", "--model", "x") == (1, "", "seekway: There is no such model.\n")


async def test_a_key_is_asked_for_and_sent() -> None:
    async with ChatGateway([[*THOUGHTFUL]], key="k1") as gateway:
        code, _, err = await chat(gateway, "hello")
        assert code == 1
        assert "SEEKWAY_API_KEY" in err
        assert (await chat(gateway, "hello", "--api-key", "k1"))[0] == 0


@asynccontextmanager
async def story_begun(
    gateway: ChatGateway, program: Sequence[str] = ("-m", "seekway.app")
) -> AsyncGenerator[tuple[Terminal, asyncio.subprocess.Process]]:
    """A chat on a terminal, in the middle of its first answer."""
    terminal = Terminal()
    child = await terminal.start(gateway.url, program)
    try:
        await terminal.until("> ")
        terminal.type("Tell a story\n")
        await terminal.until("Once upon")
        yield terminal, child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        terminal.close()


class Terminal:
    """``seekway chat`` on a terminal of its own."""

    def __init__(self) -> None:
        self._text = ""
        self._grew = asyncio.Event()
        self._ours, self._theirs = os.openpty()

    async def start(self, url: str, program: Sequence[str]) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *("/usr/bin/env", "TERM=dumb", "NO_COLOR=1", sys.executable, *program, "chat", "--url", url),
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(self._theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return child

    def _read(self) -> None:
        try:
            self._text += os.read(self._ours, 65536).decode("utf-8", "replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self._ours)
        self._grew.set()

    async def until(self, text: str) -> str:
        """What was printed up to and with ``text``, taken out of what is waiting."""
        async with asyncio.timeout(LIMIT_S):
            while text not in self._text:
                self._grew.clear()
                await self._grew.wait()
        before, _, self._text = self._text.partition(text)
        return before + text

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)


def _take_terminal() -> None:
    """Make standard input the new session's terminal, so that Ctrl-C becomes a signal."""

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def test_ctrl_c_stops_the_answer_and_not_the_chat(gateway: ChatGateway) -> None:
    gateway.answers = [[chunk(content="Once upon"), None], [*THOUGHTFUL], [*THOUGHTFUL]]
    async with story_begun(gateway) as (terminal, child):
        terminal.type("\x03")
        await terminal.until("(stopped)")
        async with asyncio.timeout(LIMIT_S):
            await gateway.left.wait()
        await terminal.until("> ")
        terminal.type("2+2?\n")
        shown = await terminal.until("It is four.")
        assert "thinking\r\nHm, easy.\r\n\r\nIt is four." in shown
        assert gateway.bodies[1]["messages"][:2] == [
            {"role": "user", "content": "Tell a story"},
            {"role": "assistant", "content": "Once upon"},
        ]
        await terminal.until("> ")
        for line, said in (("/model nope", "Asking nope"), ("hm?", "no such model"), ("/reset", "forgotten")):
            terminal.type(f"{line}\n")
            await terminal.until(said)
        terminal.type("/model smollm2:135m\n/system Be brief.\nAgain?\n")
        await terminal.until("It is four.")
        assert [turn["role"] for turn in gateway.bodies[-1]["messages"]] == ["system", "user"]
        terminal.type("/exit\n")
        async with asyncio.timeout(LIMIT_S):
            assert await child.wait() == 0


# Another thread gets the signal, as when it comes just before the loop waits: nothing interrupts that wait.
ELSEWHERE = """
import runpy, signal, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
runpy.run_module("seekway.app", run_name="__main__")
"""


async def test_ctrl_c_wakes_a_chat_that_waits(gateway: ChatGateway) -> None:
    gateway.answers = [[chunk(content="Once upon"), None]]
    async with story_begun(gateway, ["-c", ELSEWHERE]) as (terminal, _):
        terminal.type("\x03")
        await terminal.until("(stopped)")


def test_a_models_words_cannot_steer_the_terminal() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, color_system=None)
    screen = ChatScreen(console, console)
    screen.begin()
    screen.say(Said("\x1b]0;owned\x07[bold]red\x1b[31m\x9b31m", thinking=False))
    assert "\x1b" not in shown.getvalue()
    assert "\x9b" not in shown.getvalue()
    assert "[bold]red" in shown.getvalue()


def test_a_cut_answer_and_its_rate_are_said() -> None:
    notes = io.StringIO()
    console = Console(file=notes, width=200)
    screen = ChatScreen(console, console)
    screen.begin()
    screen.say(Said("It", thinking=False))
    finished = Finished("length", first_token_s=0.5, total_s=2.5, tokens=21)
    screen.end(finished, stats=True)
    assert "most tokens were reached" in notes.getvalue()
    assert stats_line(finished) == "first token 0.50 s · 21 tokens in 2.50 s · 10.0 tokens/s"
    assert stats_line(Finished("stop", 0.5, 0.5)) == "first token 0.50 s"


def test_the_address_comes_from_the_settings() -> None:
    assert gateway_url(Settings()) == "http://127.0.0.1:8000"
    assert gateway_url(Settings(gateway=GatewaySettings(host="::1", port=9))) == "http://[::1]:9"
    with pytest.raises(ConfigError, match="--url"):
        gateway_url(Settings(gateway=GatewaySettings(port=0)))
