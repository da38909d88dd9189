"""From a question to cited passages: methods, fusion, reranking."""
