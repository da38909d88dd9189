"""How models' makers recommend to sample from them, for files that do not say so themselves.

Sources: the model cards of SmolLM2-135M-Instruct (temperature 0.2, top_p 0.9), of DeepSeek-R1 and its distills (0.6 and 0.95, against
endless repetition) and of DeepSeek-V3-0324 (its API's temperature 1.0 is the model's 0.3).
A request that names a temperature gets that one, whatever stands here.
"""

from __future__ import annotations

from seekway.catalog.demo import DEMO_MODEL
from seekway.engine.spec import SamplingAdvice

_BY_PREFIX = (
    (DEMO_MODEL, SamplingAdvice(temperature=0.2, top_p=0.9)),
    ("deepseek-r1:", SamplingAdvice(temperature=0.6, top_p=0.95)),
    ("deepseek-v3.1", SamplingAdvice()),
    ("deepseek-v3", SamplingAdvice(temperature=0.3)),
)


def recommended_sampling(name: str) -> SamplingAdvice:
    """For an installed model's name; a quantized model is called after its source and sampled alike."""
    return next((advice for prefix, advice in _BY_PREFIX if name.startswith(prefix)), SamplingAdvice())
