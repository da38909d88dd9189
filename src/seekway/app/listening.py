"""The gateway's port: bound before anything else is told, by one process or by several that share it."""

from __future__ import annotations

import errno
import socket

from seekway.core.errors import StartupError
from seekway.core.sections.gateway import GatewaySettings

_BACKLOG = 2048


def listen(settings: GatewaySettings, *, shared: bool = False) -> socket.socket:
    """A listening socket; ``shared`` beside those of the other workers, whose supervisor has reserved the port.

    Raises ``StartupError`` when the port is taken.
    """
    try:
        return socket.create_server(
            (settings.host, settings.port), family=_family(settings.host), backlog=_BACKLOG, reuse_port=shared
        )
    except OSError as error:
        raise _refused(settings, error) from error


def reserve(settings: GatewaySettings) -> socket.socket:
    """The HTTP port for several workers; see :func:`reserve_port`. Raises ``StartupError`` when it is taken."""
    try:
        return reserve_port(settings.host, settings.port)
    except OSError as error:
        raise _refused(settings, error) from error


def reserve_grpc(settings: GatewaySettings) -> socket.socket | None:
    """The gRPC port likewise, for one worker too, since it keeps the port over a restart; None where there is none.

    Raises ``StartupError`` when it is taken.
    """
    if settings.grpc_port is None:
        return None
    try:
        return reserve_port(settings.host, settings.grpc_port)
    except OSError as error:
        raise StartupError(
            f"gRPC cannot listen on {settings.host}:{settings.grpc_port} ({error.strerror}); "
            "stop what uses the port, or choose another with SEEKWAY_GATEWAY__GRPC_PORT.",
            param="gateway.grpc_port",
        ) from error


def reserve_port(host: str, port: int) -> socket.socket:
    """A port for several processes, bound and not listening: held as long as the socket is open.

    The kernel would let any process of this user share a port that is bound to be shared, so it is first bound alone:
    a second ``seekway up`` is told that the port is taken, as it should be.
    Raises ``OSError``.
    """
    with socket.socket(_family(host), socket.SOCK_STREAM) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))
        port = int(alone.getsockname()[1])
    held = socket.socket(_family(host), socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, port))
    return held


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _refused(settings: GatewaySettings, error: OSError) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        return StartupError(
            f"Port {settings.port} on {settings.host} is taken; stop the other program or choose another with --port."
        )
    return StartupError(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.")
