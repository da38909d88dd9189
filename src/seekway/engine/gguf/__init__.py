"""Reading GGUF files: the header and the tokenizer it describes."""
