"""The thin client of the admin API: HTTP over the Unix socket in the data directory."""

import base64
import contextlib
import os
import socket
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx
import msgspec

from pbx.admin.models import TICKET, Problem
from pbx.cli.output import CommandError, Exit
from pbx.cli.remote import Remote, remote, why
from pbx.paths import Layout

T = TypeVar("T")

_TIMEOUT: Final = httpx.Timeout(30, connect=5)
_CODES: Final = {400: Exit.USAGE, 404: Exit.USAGE, 405: Exit.USAGE, 422: Exit.USAGE}


class AdminClient:
    """One command's conversation with the exchange; answers become the asked-for type."""

    def __init__(
        self,
        layout: Layout,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        elsewhere = remote.get()
        if transport is None:
            transport = _local(layout) if elsewhere is None else _over_tls(elsewhere)
        self._http = httpx.Client(
            transport=transport,
            base_url="http://pbx" if elsewhere is None else elsewhere.server,
            headers={**ticket_header(), **(headers or {})},
            timeout=_TIMEOUT,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, answer: type[T], **query: str | int | None) -> T:
        return self.send("GET", path, answer, query=query)

    def post(self, path: str, answer: type[T], body: object = None) -> T:
        return self.send("POST", path, answer, body=body)

    def send(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        body: object = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> T:
        """Sends one request; raises CommandError with the exchange's own sentence."""
        if any(part in ("", ".", "..") for part in path.split("/")[1:]):
            # An unset variable of a script; the path would be another one.
            raise CommandError("A name is missing: it is empty, or only dots.", Exit.USAGE)
        content = None if body is None else msgspec.json.encode(body)
        params = {k: v for k, v in (query or {}).items() if v is not None}
        try:
            response = self._http.request(
                method,
                path,
                content=content,
                params=params,
                headers={"Content-Type": "application/json"} if content is not None else None,
            )
        except httpx.TimeoutException:
            raise CommandError("The exchange did not answer in time.", Exit.UNAVAILABLE) from None
        except httpx.ConnectError as error:
            raise CommandError(_unreachable(error), Exit.UNAVAILABLE) from None
        except httpx.HTTPError:
            raise CommandError(
                "The exchange stopped while it was asked; look again with: pbx status",
                Exit.UNAVAILABLE,
            ) from None
        if response.is_success:
            return self._decoded(response.content, answer)
        if response.text == "Service Unavailable":  # of uvicorn itself, which asked nobody
            raise CommandError(
                "The exchange is asked too much at once; try again in a moment.", Exit.UNAVAILABLE
            )
        raise CommandError(_said(response.content), exit_for(response.status_code))

    def _decoded(self, content: bytes, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(content or b"null", type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise CommandError(
                "The exchange and this command are of different versions; restart the exchange.",
                Exit.UNAVAILABLE,
            ) from None


def ticket_header() -> dict[str, str]:
    """Why a change is made, where somebody said so."""
    text = why.get().strip()
    return {TICKET: base64.b64encode(text.encode()).decode()} if text else {}


def _local(layout: Layout) -> httpx.BaseTransport:
    _reach(layout)
    return httpx.HTTPTransport(uds=str(layout.admin_socket))


def _over_tls(elsewhere: Remote) -> httpx.BaseTransport:
    return httpx.HTTPTransport(verify=elsewhere.context(), trust_env=False)


def _unreachable(error: BaseException) -> str:
    """Why another machine cannot be spoken to; the certificate's fault is said as such."""
    from certs.diagnose import cause_of

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"The exchange and this machine do not trust each other: {cause_of(cause)}."
        cause = cause.__cause__ or cause.__context__
    return "The exchange cannot be reached there; is [admin] listen set, and a firewall open?"


def _reach(layout: Layout) -> None:
    """Connects once to say precisely why not; httpx would leave the failed socket open."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.settimeout(5)
            probe.connect(str(layout.admin_socket))
        except PermissionError:
            raise CommandError(
                "This account may not speak to the exchange; become root or join the group "
                "hipaa-pbx-operators.",
                Exit.REFUSED,
            ) from None
        except OSError:
            raise CommandError(_why_not(layout), Exit.UNAVAILABLE) from None


def _why_not(layout: Layout) -> str:
    """A supervisor that lives brings the exchange back within seconds: nothing to start then."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(layout.serve_lock.read_text()), 0)
        return f"The exchange in {layout.root} is starting or stopping; ask again in a moment."
    return f"The exchange in {layout.root} is not running; start it with: pbx serve"


def exit_for(status: int) -> Exit:
    if status >= 500:
        return Exit.UNAVAILABLE
    return _CODES.get(status, Exit.REFUSED)


def _said(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=Problem).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "The exchange gave an answer this command does not understand."


Json = dict[str, Any]
"""An answer that is only shown, never looked into."""
