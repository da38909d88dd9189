"""ai-injection-guard: 75 patterns of injections and jailbreaks, some of them in Chinese, at its default threshold."""

from collections.abc import Sequence
from importlib.metadata import version

from prompt_shield import PromptScanner
from serve import serve


class Injections:
    version = version("ai-injection-guard")

    def load(self, words: Sequence[str]) -> None:
        self._scanner = PromptScanner(threshold="MEDIUM")

    def scan(self, text: str) -> list[str]:
        result = self._scanner.scan(text)
        return [str(match) for match in result.matches] if result.severity in ("MEDIUM", "HIGH", "CRITICAL") else []


if __name__ == "__main__":
    serve(Injections)
