"""Forms of attack that a pattern catches cheaply and surely, in English and Chinese; the rest is the classifier's.

Written for this project from the public descriptions of each form. They look at the text as it came: full-width bars, invisible characters and
escapes are what they are about, and normalising would take them away.
"""

from __future__ import annotations

from typing import Final

from seekway.pipeline.guardrails.rules.pattern_detector import Pattern

_PART = r"[^.!?。！？\n]"

ATTACK_PATTERNS: Final[tuple[Pattern, ...]] = (
    # Templates' own tokens: <|im_start|>, <|eot_id|>, DeepSeek's <｜User｜> and <｜begin▁of▁sentence｜>.
    Pattern("chat_token", r"<[|｜][A-Za-z][A-Za-z0-9_▁-]{1,40}[|｜]>", "control_token", "high"),
    Pattern(
        "chat_token_spaced",
        r"(?i)<[ ]{0,2}[|｜][ ]{0,2}(?:im[_ ]?(?:start|end|sep)|endoftext|eot[_ ]?id|(?:begin|end)[_ ]of[_ ]text|(?:start|end)[_ ]header[_ ]id|system|user|assistant)[ ]{0,2}[|｜][ ]{0,2}>",
        "control_token",
        "high",
    ),
    # Llama's, Mistral's and Gemma's.
    Pattern(
        "bracket_token",
        r"(?:\[/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]|<</?SYS>>|<(?:start|end)_of_turn>)",
        "control_token",
        "high",
    ),
    # Letters as tags, which no one sees and models read. The flags of England, Scotland and Wales have six of them.
    Pattern("unicode_tags", r"(?:\x{E0001}|[\x{E0020}-\x{E007F}]{8,200})", "smuggling", "high"),
    Pattern("variation_selectors", r"[\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]{4,200}", "smuggling", "high"),
    Pattern("zero_width_run", r"[\x{200B}-\x{200D}\x{2060}-\x{2064}\x{FEFF}\x{180E}]{8,200}", "smuggling", "high"),
    Pattern("bidi_override", r"[\x{202D}\x{202E}]", "smuggling", "medium"),
    Pattern("terminal_escape", r"(?:\x1b(?:\[[0-9;?]{0,32}[A-Za-z]|[\]P^_])|\x{9B}[0-9;?]{0,32}[A-Za-z])", "terminal_escape", "high"),
    # An image whose address carries away what the model fills in.
    Pattern(
        "image_placeholder",
        r"(?i)!\[[^\]\n]{0,100}\]\([ ]{0,4}https?://[^)\s\[{<]{1,200}[\[{<$%][^)\n]{1,100}\)",
        "exfiltration",
        "high",
    ),
    Pattern(
        "image_with_data",
        r"(?i)!\[[^\]\n]{0,100}\]\([ ]{0,4}https?://[^)\s?]{1,200}\?[^)\s]{0,100}=[A-Za-z0-9+/%_.-]{64,600}",
        "exfiltration",
        "medium",
    ),
    Pattern("encoded_blob", r"[A-Za-z0-9+/_-]{1000}", "encoded_blob", "low"),
    Pattern(
        "ignore_instructions_en",
        r"(?i)\b(?:ignore|disregard|forget|override)\b"
        + _PART + r"{0,30}\b(?:all|any|every|previous|prior|above|earlier|preceding|your|initial|original|system)\b"
        + _PART + r"{0,30}\b(?:instructions?|prompts?|rules|guidelines|directives?|programming)\b",
        "injection",
        "medium",
    ),
    Pattern(
        "ignore_instructions_zh",
        r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|不用管|抛开|拋開|跳过|跳過|绕过|繞過|推翻)"
        + _PART + r"{0,12}(?:之前|以前|以上|上面|上述|前面|先前|此前|所有|全部|一切|原有|原来|系统|系統|你的)"
        + _PART + r"{0,10}(?:指令|指示|提示词|提示詞|系统提示|规则|規則|设定|設定|限制|约束|約束|命令)",
        "injection",
        "medium",
    ),
    Pattern(
        "prompt_extraction_en",
        r"(?i)\b(?:reveal|show|print|repeat|output|display|leak|dump|recite|give me|tell me|what (?:is|are|was|were))\b"
        + _PART + r"{0,30}\byour\b" + _PART + r"{0,20}\b(?:system|initial|hidden|original|developer)[ -](?:prompts?|messages?|instructions?)\b",
        "prompt_extraction",
        "medium",
    ),
    Pattern(
        "prompt_extraction_zh",
        r"(?:输出|輸出|显示|顯示|告诉我|告訴我|重复|重複|打印|透露|泄露|洩露|复述|複述|说出|說出|公开|公開|展示)"
        + _PART + r"{0,12}(?:系统|系統|初始|隐藏|隱藏|原始|开发者|開發者|内部|內部)的?(?:提示词|提示詞|提示|指令|消息|设定|設定|prompt)",
        "prompt_extraction",
        "medium",
    ),
    Pattern(
        "persona_jailbreak",
        r"(?i)(?:\bdo anything now\b|\bDAN mode\b|\bdeveloper mode (?:is )?(?:enabled|on|activated)\b|\bunrestricted (?:AI|mode)\b|(?:越狱|越獄|开发者|開發者|无限制|無限制)模式(?:已)?(?:开启|開啟|启用|啟用|启动|啟動|激活))",
        "jailbreak",
        "medium",
    ),
)  # fmt: skip
