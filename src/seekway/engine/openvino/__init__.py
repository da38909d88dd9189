"""The OpenVINO GenAI engine: Llama, Qwen2 and Qwen3 models from GGUF files on CPUs."""
