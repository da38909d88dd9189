"""The Python client over gRPC: to the model service without a gateway between (direct mode), or to a gateway's gRPC port.

::

    from seekway.client import Client

    with Client() as seekway:
        for text in seekway.generate("Why is the sky blue?"):
            print(text, end="", flush=True)
"""

from seekway.client.asynchronous import AsyncClient
from seekway.client.conversation import Answer, Delta, Options
from seekway.client.synchronous import Client
from seekway.core.errors import SeekwayError
from seekway.core.types import Message, ModelInfo, RerankScore, Usage
from seekway.model_service.analysis import Analysis, AnalysisFailed, AnalyzeText

__all__ = [
    "Analysis",
    "AnalysisFailed",
    "AnalyzeText",
    "Answer",
    "AsyncClient",
    "Client",
    "Delta",
    "Message",
    "ModelInfo",
    "Options",
    "RerankScore",
    "SeekwayError",
    "Usage",
]
