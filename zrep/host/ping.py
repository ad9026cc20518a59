"""A sign of life to an endpoint on the web, which is waited for no longer than was agreed."""

from __future__ import annotations

import threading

from zrep.errors import Unreachable


def ping(url: str, text: str, *, timeout: float) -> None:
    """POST `text`; Unreachable unless it was answered with 2xx within `timeout` seconds.

    The URL must be http or https, and is a secret but for its host. The socket's own timeout ends
    neither the search for an address nor an answer that drips, so a thread is left to those.
    """
    failed: list[BaseException] = []
    thread = threading.Thread(target=_try, args=(url, text, timeout, failed), daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise _unreachable(url, f"no answer within {timeout:g} s")
    if failed:
        why = " ".join(str(failed[0]).split()) or type(failed[0]).__name__
        raise _unreachable(url, why[:200]) from failed[0]


def _unreachable(url: str, why: str) -> Unreachable:
    return Unreachable("the ping failed", where="/".join(url.split("/")[:3]), why=why)


def _try(url: str, text: str, timeout: float, failed: list[BaseException]) -> None:
    try:
        _post(url, text.encode(errors="replace"), timeout)
    except Exception as error:  # noqa: BLE001 - whatever an endpoint makes of it is told above
        failed.append(error)


def _post(url: str, body: bytes, timeout: float) -> None:
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        """What is sent on elsewhere, perhaps by another scheme, was not received."""

        def redirect_request(self, *_: object) -> None:
            return None

    request = Request(url, data=body, headers={"Content-Type": "text/plain; charset=utf-8"})  # noqa: S310 - http and https alone
    with build_opener(Stay).open(request, timeout=timeout):
        pass
