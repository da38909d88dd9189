"""What goes wrong on the wire to one backend, as the error that says so.

No exception of a socket, of TLS or of the HTTP parser is ever chained to ours: what they hold is not for a log.
"""

from __future__ import annotations

import socket
import ssl

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    DeadlineExceeded,
    Overloaded,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.sections.backends import BackendSettings

_POOL_RETRY_AFTER_S = 1.0


class WireFailures:
    """Makes the errors of the backend that ``settings`` name."""

    def __init__(self, settings: BackendSettings) -> None:
        self.name = settings.name
        self._settings = settings

    def closed(self) -> SeekwayError:
        return BackendUnavailable(f"The backend {self.name} is closed.")

    def not_connected(self, error: OSError | ValueError) -> SeekwayError:
        """For what resolving, connecting and the TLS handshake raise."""
        if isinstance(error, (socket.gaierror, UnicodeError)):
            return BackendUnavailable(f"The host of the backend {self.name} is not known; check its base_url.")
        if isinstance(error, ssl.SSLCertVerificationError):
            return BackendUnavailable(f"The certificate of the backend {self.name} cannot be verified.")
        return BackendUnavailable(
            f"The backend {self.name} cannot be reached; see that it runs and check its base_url."
        )

    def slow_connect(self) -> SeekwayError:
        patience = self._settings.connect_timeout_s
        return BackendUnavailable(f"The backend {self.name} did not accept a connection within {patience:g} s.")

    def busy(self) -> SeekwayError:
        return Overloaded(
            f"All {self._settings.max_connections} connections to the backend {self.name} are busy; wait and try again.",
            retry_after_s=_POOL_RETRY_AFTER_S,
        )

    def silent(self) -> SeekwayError:
        return DeadlineExceeded(f"The backend {self.name} was silent for {self._settings.idle_timeout_s:g} s.")

    def out_of_time(self) -> SeekwayError:
        return DeadlineExceeded(f"The backend {self.name} did not finish within the time given; try again.")

    def malformed(self) -> SeekwayError:
        return BackendProtocolError(f"The backend {self.name} does not speak HTTP as it should; check its base_url.")

    def lost(self, *, begun: bool) -> SeekwayError:
        """``begun`` once the answer's head has come."""
        if begun:
            return StreamInterrupted(f"The backend {self.name} broke off its answer; try again.")
        return BackendUnavailable(f"The backend {self.name} closed the connection without an answer; try again.")

    def too_long(self, limit: int) -> SeekwayError:
        return BackendProtocolError(f"The backend {self.name} answered more than {limit} bytes.")

    def encoded(self, encoding: str) -> SeekwayError:
        return BackendProtocolError(
            f"The backend {self.name} compressed its answer in a way that nobody asked for ({encoding[:32]!r}); switch it off there."
        )
