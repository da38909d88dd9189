"""Makes the tiny random-weight models under tests/fixtures/tiny/, and what transformers says of them.

A DeepSeek-V3 (multi-head latent attention, one dense layer, then experts with a shared one) and a Qwen2, each as GGUF,
with the greedy tokens and log-probabilities that transformers computes from the same weights. The weights mean nothing;
they prove that an engine computes what the architecture says. Run in an environment of scripts/requirements-tiny.in:

    python scripts/make_tiny_models.py

Tokens that are no whole UTF-8 text of their own, and control tokens, have zero rows in the output matrix, so that greedy
output is readable text. The GGUF tensors are named as llama.cpp's ``deepseek2`` and ``qwen2`` name them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, Qwen2Config, Qwen2ForCausalLM

TARGET = Path(__file__).parent.parent / "tests" / "fixtures" / "tiny"
VOCABULARY = 512
CONTEXT = 1024
NEW_TOKENS = 48
ALTERNATIVES = 5
EXPERTS_USED = 2
SEEDS = 1000
SMALLEST_MARGIN = 2e-2
"""How far the likeliest token must lead the second in the recorded sequences, in log-probability: rounding must not turn them."""

SMALLEST_ROUTING_MARGIN = 1e-3
"""How far the last expert chosen must lead the first one left out, in routing score, for the same reason."""

CORPUS = """The gateway answers every question it is asked. A model reads the prompt, token by token, and writes one more.
What is the capital of France? The capital of France is Paris. How many hours has a day? A day has twenty-four hours.
Count: one, two, three, four, five, six, seven, eight, nine, ten. {"name": "value", "number": 12, "list": [1, 2, 3]}
def add(first, second):
    return first + second
你好，世界。今天天气怎么样？今天天气很好。请问有什么可以帮助你的吗？谢谢，再见。法国的首都是巴黎。
"""

PROMPTS = (
    "The capital of France is",
    "你好，今天天气怎么样？",
    '{"name": "value", "number":',
)

DEEPSEEK_TOKENS = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜▁pad▁｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁end｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
)
THINKING_TOKENS = ("<think>", "</think>")
QWEN_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")

DEEPSEEK_TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages -%}"
    "{%- if message.role == 'system' -%}{{ message.content }}"
    "{%- elif message.role == 'user' -%}{{ '<｜User｜>' + message.content }}"
    "{%- elif message.role == 'assistant' -%}"
    "{{ '<｜Assistant｜>' + message.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<｜Assistant｜><think>\\n' }}{%- endif -%}"
)
CHATML_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)

DEEPSEEK_SPLITS = (
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Vocabulary:
    """A byte-level BPE trained on the corpus, then the control tokens, then unused fillers up to ``VOCABULARY``."""

    def __init__(self, splits: tuple[str, ...], control: tuple[str, ...], user_defined: tuple[str, ...]) -> None:
        self.tokenizer = Tokenizer(models.BPE())
        self.tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(split), "isolated") for split in splits]
            + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        self.tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY - 32, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        self.tokenizer.train_from_iterator([CORPUS], trainer)
        trained: dict[str, Any] = json.loads(self.tokenizer.to_str())["model"]
        self.merges = [" ".join(pair) for pair in trained["merges"]]
        self.tokens = [token for token, _ in sorted(trained["vocab"].items(), key=lambda item: item[1])]
        self.types = [int(gguf.TokenType.NORMAL)] * len(self.tokens)
        self._add(control, gguf.TokenType.CONTROL)
        self._add(user_defined, gguf.TokenType.USER_DEFINED)
        self._add(tuple(f"[unused{n}]" for n in range(VOCABULARY - len(self.tokens))), gguf.TokenType.UNUSED)

    def __getitem__(self, token: str) -> int:
        return self.tokens.index(token)

    def unreadable(self) -> list[int]:
        """Ids that greedy output must not hold: control and unused tokens, and pieces of a character."""
        letters = {letter: byte for byte, letter in _letter_of_byte().items()}
        found: list[int] = []
        for id_, (token, kind) in enumerate(zip(self.tokens, self.types, strict=True)):
            piece = bytes(letters.get(letter, 0xFF) for letter in token)
            if kind != gguf.TokenType.NORMAL or piece.decode("utf-8", "replace").encode() != piece:
                found.append(id_)
        return found

    def _add(self, tokens: tuple[str, ...], kind: gguf.TokenType) -> None:
        self.tokens += tokens
        self.types += [int(kind)] * len(tokens)


def _letter_of_byte() -> dict[int, str]:
    """GPT-2's printable letter for every byte: printable Latin-1 stands for itself, the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in printable}
    for n, byte in enumerate(byte for byte in range(256) if byte not in letters):
        letters[byte] = chr(256 + n)
    return letters


def _randomize(model: torch.nn.Module, unreadable: list[int], seed: int) -> None:
    """Weights wide enough that the layers matter and the next token is clear; rounded to float16, so that either file type is exact."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            if name.endswith("norm.weight") or "layernorm" in name:
                values = 1 + 0.1 * torch.randn(weight.shape, generator=generator)
            elif name.endswith(("bias", "e_score_correction_bias")):
                values = 0.1 * torch.randn(weight.shape, generator=generator)
            elif name.endswith("embed_tokens.weight"):
                values = torch.randn(weight.shape, generator=generator)
            else:
                spread = {"lm_head.weight": 4.0}.get(name, 2.0 if name.endswith("mlp.gate.weight") else 1.0)
                values = spread * torch.randn(weight.shape, generator=generator) / weight.shape[-1] ** 0.5
            weight.copy_(values.half().float())
        model.state_dict()["lm_head.weight"][unreadable] = 0


def _tokenizer_metadata(writer: gguf.GGUFWriter, vocabulary: Vocabulary, pre: str, template: str) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_chat_template(template)


def _fim_metadata(writer: gguf.GGUFWriter, vocabulary: Vocabulary, prefix: str, suffix: str, middle: str) -> None:
    for part, token in (("pre", prefix), ("suf", suffix), ("mid", middle)):
        writer.add_uint32(f"tokenizer.ggml.fim_{part}_token_id", vocabulary[token])


def _write(writer: gguf.GGUFWriter, tensors: dict[str, torch.Tensor], *, half: bool) -> None:
    for name, tensor in tensors.items():
        values = tensor.contiguous().numpy()
        writer.add_tensor(name, values.astype(np.float16 if half and values.ndim > 1 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _fill(model: Any, vocabulary: Vocabulary, bos: int | None) -> list[dict[str, Any]]:
    """Give the model the first weights whose greedy choices are clear; returns the recorded cases."""
    for seed in range(1, SEEDS):
        _randomize(model, vocabulary.unreadable(), seed)
        cases = _reference(model, vocabulary, bos)
        if cases:
            print(f"  seed {seed}")
            return cases
    raise SystemExit("no seed gives clear choices; widen the weights")


def _reference(model: Any, vocabulary: Vocabulary, bos: int | None) -> list[dict[str, Any]]:
    """Greedy continuations of the prompts, without a cache, with each token's log-probability and the likeliest beside it.

    Empty when a choice was too close.
    """
    cases: list[dict[str, Any]] = []
    routing = _watch_routing(model)
    for text in PROMPTS:
        prompt = ([] if bos is None else [bos]) + vocabulary.tokenizer.encode(text).ids
        sequence, steps = list(prompt), list[dict[str, Any]]()
        for _ in range(NEW_TOKENS):
            with torch.no_grad():
                logits = model(torch.tensor([sequence]), use_cache=False).logits[0, -1].double()
            values, ids = torch.log_softmax(logits, -1).topk(ALTERNATIVES)
            if float(values[0] - values[1]) < SMALLEST_MARGIN or min(routing, default=1.0) < SMALLEST_ROUTING_MARGIN:
                return []
            top = [[int(id_), round(float(value), 6)] for id_, value in zip(ids, values, strict=True)]
            steps.append({"id": top[0][0], "logprob": top[0][1], "top": top})
            sequence.append(top[0][0])
        cases.append({"text": text, "prompt": prompt, "steps": steps})
    return cases


def _watch_routing(model: Any) -> list[float]:
    """A list that from now on receives the closest race for an expert's place in each forward pass; empty without experts."""
    margins: list[float] = []

    def watch(gate: Any, _: Any, output: Any) -> None:
        logits = output[0] if isinstance(output, tuple) else output
        scores = (logits.sigmoid() + gate.e_score_correction_bias).sort(-1, descending=True).values
        margins.append(float((scores[..., EXPERTS_USED - 1] - scores[..., EXPERTS_USED]).min()))

    for name, module in model.named_modules():
        if name.endswith("mlp.gate"):
            module._forward_hooks.clear()
            module.register_forward_hook(watch)
    return margins


def _record(name: str, cases: list[dict[str, Any]], **more: Any) -> None:
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    extra = "".join(f'"{key}":{json.dumps(value)},\n' for key, value in more.items())
    (TARGET / f"{name}.json").write_text(f'{{{extra}"cases":[\n{lines}\n]}}\n', encoding="utf-8")


def make_deepseek() -> None:
    vocabulary = Vocabulary(DEEPSEEK_SPLITS, DEEPSEEK_TOKENS, THINKING_TOKENS)
    bos, eos = vocabulary["<｜begin▁of▁sentence｜>"], vocabulary["<｜end▁of▁sentence｜>"]
    config = DeepseekV3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        moe_intermediate_size=32,
        num_hidden_layers=3,
        first_k_dense_replace=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        n_shared_experts=1,
        n_routed_experts=4,
        num_experts_per_tok=EXPERTS_USED,
        n_group=1,
        topk_group=1,
        routed_scaling_factor=2.5,
        norm_topk_prob=True,
        q_lora_rank=32,
        kv_lora_rank=64,
        qk_nope_head_dim=32,
        qk_rope_head_dim=32,
        v_head_dim=32,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False,
        bos_token_id=bos,
        eos_token_id=eos,
        attn_implementation="eager",
    )
    model = DeepseekV3ForCausalLM(config).float().eval()
    _record("deepseek-v3", _fill(model, vocabulary, bos))

    writer = gguf.GGUFWriter(TARGET / "deepseek-v3.gguf", "deepseek2")
    writer.add_name("tiny random DeepSeek-V3")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(1)  # the latent is one head that all query heads share
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(config.qk_rope_head_dim)
    writer.add_vocab_size(VOCABULARY)
    writer.add_leading_dense_block_count(config.first_k_dense_replace)
    writer.add_q_lora_rank(config.q_lora_rank)
    writer.add_kv_lora_rank(config.kv_lora_rank)
    writer.add_key_length(config.kv_lora_rank + config.qk_rope_head_dim)
    writer.add_value_length(config.kv_lora_rank)
    writer.add_key_length_mla(config.qk_nope_head_dim + config.qk_rope_head_dim)
    writer.add_value_length_mla(config.v_head_dim)
    writer.add_expert_count(config.n_routed_experts)
    writer.add_expert_used_count(config.num_experts_per_tok)
    writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    writer.add_expert_shared_count(config.n_shared_experts)
    writer.add_expert_weights_scale(config.routed_scaling_factor)
    writer.add_expert_weights_norm(True)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    _tokenizer_metadata(writer, vocabulary, "deepseek-v3", DEEPSEEK_TEMPLATE)
    writer.add_bos_token_id(bos)
    writer.add_eos_token_id(eos)
    writer.add_pad_token_id(vocabulary["<｜▁pad▁｜>"])
    _fim_metadata(writer, vocabulary, "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    _write(writer, _deepseek_tensors(model.state_dict(), config), half=False)


def _deepseek_tensors(state: dict[str, torch.Tensor], config: Any) -> dict[str, torch.Tensor]:
    tensors = _outer_tensors(state)
    heads, nope = config.num_attention_heads, config.qk_nope_head_dim
    for layer in range(config.num_hidden_layers):
        here, there = f"model.layers.{layer}", f"blk.{layer}"
        for old, new in {
            "input_layernorm": "attn_norm",
            "post_attention_layernorm": "ffn_norm",
            "self_attn.q_a_proj": "attn_q_a",
            "self_attn.q_a_layernorm": "attn_q_a_norm",
            "self_attn.q_b_proj": "attn_q_b",
            "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
            "self_attn.kv_a_layernorm": "attn_kv_a_norm",
            "self_attn.o_proj": "attn_output",
        }.items():
            tensors[f"{there}.{new}.weight"] = state[f"{here}.{old}.weight"]
        # The up-projection of the latent is split: the key's half is absorbed into the query, the value's into the output.
        up = state[f"{here}.self_attn.kv_b_proj.weight"].view(heads, nope + config.v_head_dim, config.kv_lora_rank)
        tensors[f"{there}.attn_k_b.weight"] = up[:, :nope].transpose(1, 2)
        tensors[f"{there}.attn_v_b.weight"] = up[:, nope:]
        dense = layer < config.first_k_dense_replace
        source, suffix = (f"{here}.mlp", "") if dense else (f"{here}.mlp.shared_experts", "_shexp")
        for part in ("gate", "up", "down"):
            tensors[f"{there}.ffn_{part}{suffix}.weight"] = state[f"{source}.{part}_proj.weight"]
        if not dense:
            tensors[f"{there}.ffn_gate_inp.weight"] = state[f"{here}.mlp.gate.weight"]
            tensors[f"{there}.exp_probs_b.bias"] = state[f"{here}.mlp.gate.e_score_correction_bias"]
            gate, above = state[f"{here}.mlp.experts.gate_up_proj"].chunk(2, dim=1)
            tensors[f"{there}.ffn_gate_exps.weight"] = gate
            tensors[f"{there}.ffn_up_exps.weight"] = above
            tensors[f"{there}.ffn_down_exps.weight"] = state[f"{here}.mlp.experts.down_proj"]
    return tensors


def _outer_tensors(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        "token_embd.weight": state["model.embed_tokens.weight"],
        "output_norm.weight": state["model.norm.weight"],
        "output.weight": state["lm_head.weight"],
    }


def make_qwen2() -> None:
    vocabulary = Vocabulary((QWEN_SPLIT,), QWEN_TOKENS, ())
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False,
        bos_token_id=vocabulary["<|endoftext|>"],
        eos_token_id=vocabulary["<|im_end|>"],
        attn_implementation="eager",
    )
    model = Qwen2ForCausalLM(config).float().eval()
    cases = _fill(model, vocabulary, None)
    _record("qwen2", cases, last_token_embeddings=_embeddings(model, cases))

    state = model.state_dict()
    tensors = _outer_tensors(state)
    for layer in range(config.num_hidden_layers):
        here, there = f"model.layers.{layer}", f"blk.{layer}"
        tensors[f"{there}.attn_norm.weight"] = state[f"{here}.input_layernorm.weight"]
        tensors[f"{there}.ffn_norm.weight"] = state[f"{here}.post_attention_layernorm.weight"]
        tensors[f"{there}.attn_output.weight"] = state[f"{here}.self_attn.o_proj.weight"]
        for part in "qkv":
            for kind in ("weight", "bias"):
                tensors[f"{there}.attn_{part}.{kind}"] = state[f"{here}.self_attn.{part}_proj.{kind}"]
        for part in ("gate", "up", "down"):
            tensors[f"{there}.ffn_{part}.weight"] = state[f"{here}.mlp.{part}_proj.weight"]
    for name, pooled in (("qwen2", False), ("qwen2-embedding", True)):
        writer = gguf.GGUFWriter(TARGET / f"{name}.gguf", "qwen2")
        writer.add_name("tiny random Qwen2")
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        writer.add_context_length(CONTEXT)
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(config.num_attention_heads)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(10000.0)
        if pooled:
            writer.add_pooling_type(gguf.PoolingType.LAST)
        _tokenizer_metadata(writer, vocabulary, "qwen2", CHATML_TEMPLATE)
        writer.add_bos_token_id(vocabulary["<|endoftext|>"])
        writer.add_eos_token_id(vocabulary["<|im_end|>"])
        writer.add_pad_token_id(vocabulary["<|endoftext|>"])
        _fim_metadata(writer, vocabulary, "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
        writer.add_add_bos_token(False)
        _write(writer, tensors, half=True)


def _embeddings(model: Any, cases: list[dict[str, Any]]) -> list[list[float]]:
    """The last token's hidden state after the final norm, unit length: what pooling type ``last`` means."""
    vectors: list[list[float]] = []
    for case in cases:
        with torch.no_grad():
            hidden = model.model(torch.tensor([case["prompt"]]), use_cache=False).last_hidden_state[0, -1].double()
        vectors.append([round(float(value), 6) for value in hidden / hidden.norm()])
    return vectors


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    print("DeepSeek-V3")
    make_deepseek()
    print("Qwen2")
    make_qwen2()
    for path in sorted(TARGET.iterdir()):
        print(f"{path.name}: {path.stat().st_size:,} bytes")
