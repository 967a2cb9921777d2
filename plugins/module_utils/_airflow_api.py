# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""A small client of Airflow's REST API, the same for 3.x (``/api/v2``, token) and 2.11 (``/api/v1``, basic
authentication).

Ansible's own HTTP client sends the requests: actions use it on the controller, modules on any host. One TLS context
serves all requests. No message contains the password or the token.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from ansible.module_utils.urls import Request, make_context

PAGE = 100  # Airflow's own upper limit for one page.
ANSWER_SECONDS = 30.0  # Longest time that one answer may take once it has begun.


class ApiError(Exception):
    """A request failed for good. ``status`` is the HTTP status, 0 when there was no answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Deadline:
    """A moment after which waiting ends."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.seconds = seconds
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds until the end; never negative."""
        return max(0.0, self._end - self._clock())


def detail(body: bytes) -> str:
    """The reason in an error's body, shortened: 3.x says ``detail`` (text or list), 2.11 ``title`` and ``detail``."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict):
        found = document.get("detail") or document.get("title") or document
        if isinstance(found, list):
            # Of bodies that do not fit, without their values: they may be secret.
            kept = ("loc", "msg")
            found = [{key: each[key] for key in kept if key in each} for each in found if isinstance(each, dict)]
        text = found if isinstance(found, str) else json.dumps(found)
    return " ".join(text.split())[:300]


class Client:
    """Requests to web servers that share one TLS context.

    A server's certificate is by a CA of this machine or, if not empty, by ``ca`` (certificates in PEM) or one in the
    file ``ca_path``. Without ``validate``, any certificate will do.
    """

    def __init__(self, ca: str = "", *, ca_path: str = "", validate: bool = True) -> None:
        context = make_context(validate_certs=validate)
        if ca:
            context.load_verify_locations(cadata=ca)
        if ca_path:
            context.load_verify_locations(cafile=ca_path)
        # A login comes from the caller alone, not from a ~/.netrc.
        self._request = Request(context=context, use_netrc=False)

    def open(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The answer, to be closed by the caller. ``timeout`` in seconds.

        Raises urllib.error.HTTPError for a status of 400 and more, OSError and http.client.HTTPException without an
        answer, and ValueError for an address of another kind than a web server's, such as a file's.
        """
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url} is neither an http:// nor an https:// address")
        return self._request.open(method, url, data=data, headers=headers, timeout=timeout)


class Api:
    """Requests to one cluster through its load balancer.

    ``url`` is what users open, without a path of the API; ``major`` is 0 where the server has to say it. ``ca``
    is a certificate to trust besides the machine's own, unless there is a ``client``. A ``token`` takes the place of
    the password. Failures that pass (no connection, status 5xx) are repeated until ``deadline``.
    """

    def __init__(
        self,
        url: str,
        major: int,
        user: str,
        password: str,
        deadline: Deadline,
        ca: str = "",
        pause: Callable[[float], None] = time.sleep,
        client: Client | None = None,
        token: str = "",
    ) -> None:
        self.url, self.major, self.user = url.rstrip("/"), major, user
        self.deadline = deadline
        self._password, self._token = password, token
        self._pause = pause
        self._client = client or Client(ca)
        self._authorization = ""

    @property
    def base(self) -> str:
        """The URL of the REST API."""
        return f"{self.url}/api/v{2 if self.major >= 3 else 1}"

    def detect(self) -> None:
        """Ask the server for its major version. Raises ApiError."""
        for major in (3, 2):
            self.major = major
            try:
                # Needs no login.
                self.get("/version")
            except ApiError as error:
                if error.status != 404:
                    raise
            except ValueError:
                # A page for people.
                continue
            else:
                return
        raise ApiError(f"{self.url} has neither the API of Airflow 3 nor that of 2.11")

    def login(self, token: str = "") -> None:
        """Get a token (3.x), or prove that the password is right (2.11); use ``token`` where there is one. Raises
        ApiError."""
        if not self.major:
            self.detect()
        token = token or self._token
        try:
            if token:
                self._authorization = f"Bearer {token}"
                self.get("/dags?limit=1")
            else:
                self._authorization = self.authorization(self.user, self._password)
                if self.major < 3:
                    self.get("/dags?limit=1")
        except ApiError as error:
            if error.status in (401, 403):
                raise ApiError(
                    f"login as {self.user} at {self.url} was refused: "
                    "the account's password in Airflow is not the one in the inventory's secrets",
                    error.status,
                ) from error
            raise

    def authorization(self, user: str, password: str) -> str:
        """The header that proves who ``user`` is: with a token (3.x), or with the ``password`` (2.11), right or
        wrong. Raises ApiError."""
        if self.major >= 3:
            answer = self.send("POST", f"{self.url}/auth/token", {"username": user, "password": password})
            return f"Bearer {json.loads(answer)['access_token']}"
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def knows(self, user: str, password: str) -> bool:
        """Whether ``user`` can log in with ``password``; for Airflow 2, and see a DAG: it refuses both with one answer.

        Raises ApiError when the server does not say.
        """
        try:
            header = self.authorization(user, password)
            if self.major < 3:
                self.send("GET", f"{self.base}/dags?limit=1", authorization=header)
        except ApiError as error:
            if error.status in (400, 401, 403):
                return False
            raise
        return True

    def at(self, path: str) -> str:
        """The URL of ``path``: relative to the API's base, or to the webserver's for the API of an auth manager."""
        return (self.url if path.startswith("/auth/") else self.base) + path

    def get(self, path: str) -> Any:
        """The JSON document at ``path``."""
        return json.loads(self.send("GET", self.at(path)))

    def get_all(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        """All items of a collection, over as many pages as it has."""
        offset = 0
        while True:
            items = self.get(f"{path}?limit={PAGE}&offset={offset}")[key]
            yield from items
            if len(items) < PAGE:
                return
            offset += PAGE

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post ``body`` and return the answer.

        A request that is repeated after a lost answer may come back with status 409.
        """
        return json.loads(self.send("POST", self.at(path), body))

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Patch with ``body`` and return the answer."""
        return json.loads(self.send("PATCH", self.at(path), body))

    def delete(self, path: str) -> None:
        """Delete what is at ``path``."""
        self.send("DELETE", self.at(path))

    def text(self, path: str, accept: str) -> str:
        """The answer at ``path`` as text, undecoded."""
        return self.send("GET", self.at(path), accept=accept).decode("utf-8", "replace")

    def send(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None = None,
        accept: str = "application/json",
        authorization: str = "",
    ) -> bytes:
        """One request, repeated while its failure may pass; as another user with their ``authorization``. Raises
        ApiError."""
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if authorization or self._authorization:
            headers["Authorization"] = authorization or self._authorization
        data = json.dumps(body).encode() if body is not None else None
        while True:
            try:
                return self._once(method, url, data, headers)
            except ApiError as failure:
                passing = failure.status == 0 or failure.status >= 500
                if not passing or self.deadline.left() <= 0:
                    raise
            self._pause(1.0)

    def _once(self, method: str, url: str, data: bytes | None, headers: dict[str, str]) -> bytes:
        """One request. Raises ApiError."""
        seconds = min(30.0, max(1.0, self.deadline.left()))
        try:
            with self._client.open(method, url, timeout=seconds, data=data, headers=headers) as answer:
                return self._read(answer)
        except urllib.error.HTTPError as error:
            raise ApiError(f"{method} {url}: status {error.code}, {detail(error.read())}", error.code) from None
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(f"{method} {url}: no answer ({getattr(error, 'reason', error)})") from None

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        """All of an ``answer``. That with a log which Airflow cannot find never ends."""
        deadline = Deadline(ANSWER_SECONDS)
        parts = []
        while part := answer.read1(65536):
            parts.append(part)
            if deadline.left() <= 0:
                raise TimeoutError(f"the answer has not ended after {ANSWER_SECONDS:g} s")
        return b"".join(parts)


def quoted(segment: str) -> str:
    """``segment`` for use as one part of a path."""
    return urllib.parse.quote(segment, safe="")
