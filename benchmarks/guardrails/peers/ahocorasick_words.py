"""pyahocorasick over the text in small letters: what a word list costs and finds without normalising."""

from collections.abc import Sequence
from importlib.metadata import version

import ahocorasick
from serve import serve


class Words:
    version = version("pyahocorasick")

    def load(self, words: Sequence[str]) -> None:
        automaton = ahocorasick.Automaton()
        for word in words:
            automaton.add_word(word.lower(), word)
        automaton.make_automaton()
        self._automaton = automaton

    def scan(self, text: str) -> list[str]:
        return [word for _, word in self._automaton.iter(text.lower())]


if __name__ == "__main__":
    serve(Words)
