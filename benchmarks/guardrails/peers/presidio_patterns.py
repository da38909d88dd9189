"""Presidio's predefined pattern recognisers, on spaCy's blank English pipeline: no model, no names."""

from collections.abc import Sequence
from importlib.metadata import version

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from serve import serve


class BlankSpacy(SpacyNlpEngine):
    def __init__(self) -> None:
        super().__init__()
        self.nlp = {"en": spacy.blank("en")}


class Patterns:
    version = version("presidio-analyzer")

    def load(self, words: Sequence[str]) -> None:
        # Else it asks the network for the list of top-level domains at the first e-mail address.
        tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
        engine = BlankSpacy()
        registry = RecognizerRegistry()
        registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
        registry.remove_recognizer("SpacyRecognizer")
        self._engine = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])

    def scan(self, text: str) -> list[str]:
        return [found.entity_type for found in self._engine.analyze(text=text, language="en")]


if __name__ == "__main__":
    serve(Patterns)
