"""Backends that are other OpenAI-compatible servers: DeepSeek's cloud, vLLM, SGLang, Ollama, another Seekway."""
