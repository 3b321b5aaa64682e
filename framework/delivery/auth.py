"""Credentials of a client: fixed ones, and OAuth tokens that renew themselves."""

from __future__ import annotations

import base64
import copy
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import quote_plus

import httpx

from framework.clock import Clock, SystemClock
from framework.delivery.http_errors import error_from_response, json_body, place
from framework.delivery.kept_tokens import TOKEN, KeptToken, KeptTokens, TokenEntry
from framework.delivery.redaction import Redactor
from framework.errors import (
    APIError,
    IntegrationError,
    InvalidAuthenticationError,
    RetryableError,
    Stopped,
)
from framework.results import RefreshedToken

_BUSY = frozenset({"server_error", "temporarily_unavailable"})
Flow: TypeAlias = Generator[httpx.Request, httpx.Response, None]
Protect: TypeAlias = Callable[[str], None]
Style: TypeAlias = Literal["form", "basic"]
"""The place of client ID and secret in a token request: its form, or basic credentials."""


class Credentials(httpx.Auth):
    """Credentials that report which of their values must be redacted."""

    def confide(self, protect: Protect) -> None:
        """Call *protect* with every present secret and every one obtained later."""
        raise NotImplementedError


class HeaderCredentials(Credentials):
    """The same header on every request."""

    def __init__(self, header: str, value: str, *secrets: str) -> None:
        self._header, self._value = header, value
        self._secrets = secrets

    def confide(self, protect: Protect) -> None:
        """Call *protect* with the secrets in the header."""
        for secret in self._secrets:
            protect(secret)

    def auth_flow(self, request: httpx.Request) -> Flow:
        """Set the header."""
        request.headers[self._header] = self._value
        yield request


def bearer(token: str) -> Credentials:
    """Return credentials that send a fixed bearer token."""
    return HeaderCredentials("Authorization", f"Bearer {token}", token)


def basic(username: str, password: str) -> Credentials:
    """Return credentials that send user name and password (HTTP basic authentication)."""
    pair = _base64(f"{username}:{password}")
    return HeaderCredentials("Authorization", f"Basic {pair}", password, pair)


def api_key(key: str, *, header: str = "X-API-Key") -> Credentials:
    """Return credentials that send a key in a *header* of its own."""
    return HeaderCredentials(header, key, key)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token; *until* is the clock reading after which it is renewed, None is never."""

    value: str = field(repr=False)
    until: float | None = None

    def serves(self, now: float, refused: str | None) -> bool:
        """Return whether the token is valid at *now* and is not the one just *refused*."""
        return self.value != refused and (self.until is None or now < self.until)


class OAuthCredentials(Credentials):
    """Tokens from a token endpoint: fetched at first use, kept, renewed in time.

    A token is renewed *early* seconds before it expires (but not before half its life), and once
    when a request is answered 401. Concurrent requests share one renewal, its failure included.
    Token requests go the way of all requests of the client. Refused credentials raise
    InvalidAuthenticationError with the endpoint's `error` as code. Serves sync clients only.
    The token is kept in memory, or in a store that others share, see `keep_in`.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about the token endpoint
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        early: float,
        style: Style,
        clock: Clock | None,
    ) -> None:
        self._url = token_url
        self._client = (client_id, client_secret)
        self._style, self._early = style, early
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._token: AccessToken | None = None
        self._given: AccessToken | None = None
        self._entry: TokenEntry | None = None
        self._unsaved: KeptToken | None = None
        self._dropped: str | None = None
        self._renewals = 0
        self._failure: IntegrationError | None = None
        self._redactor = Redactor((client_secret,))
        self._confidants: list[Protect] = [self._redactor.protect]

    def confide(self, protect: Protect) -> None:
        """Call *protect* with the client's secret now and with every token as it comes."""
        protect(self._client[1])
        for token in filter(None, (self._token, self._given)):
            protect(token.value)
        self._confidants.append(protect)

    def keep_in(self, tokens: KeptTokens) -> None:
        """Share the token with all who have the same credentials: threads, processes, restarts.

        A new token is stored before it is used, and only one of them requests one at a time.
        Requests may then raise StorageError. To be called before the first request; further calls
        have no effect. Subclasses from elsewhere keep their tokens to themselves, since their
        token requests and responses may hold more than is known here.
        """
        if tokens.only_rotated and not self.rotates:
            return
        if self._entry is None and type(self) in (OAuthClientCredentials, OAuthRefreshToken):
            token = self._token.value if self._token else None
            self._entry = tokens.entry([self._url, *self._client, self.grant(), token])
            self._given, self._token = self._token, None

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """Return `auth_flow`, which reads the responses that it needs itself."""
        return self.auth_flow(request)

    def auth_flow(self, request: httpx.Request) -> Flow:
        """Send *request* with a token; if that is refused, once more with a new one."""
        token = yield from self._valid(request)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            token = yield from self._valid(request, refused=token)
            request.headers["Authorization"] = f"Bearer {token}"
            yield request

    @property
    def renewals(self) -> int:
        """The number of token requests."""
        return self._renewals

    def forget(self, renewals: int) -> bool:
        """Drop a token that was refused in another way than by status; return whether one existed.

        A token that was obtained after *renewals* token requests stays.
        """
        with self._lock:
            if self._token is None or self._renewals != renewals:
                return False
            self._dropped, self._token = self._token.value, None
            return True

    def grant(self) -> dict[str, str]:
        """Return the form fields of a token request, without those of the client."""
        raise NotImplementedError

    def received(self, answer: Mapping[str, Any]) -> None:
        """Read what a token response contains in addition to the token."""

    repeatable = True
    """Whether a token request may be repeated."""

    rotates = False
    """Whether the endpoint may replace what the next token is requested with."""

    def _valid(
        self, request: httpx.Request, refused: str | None = None
    ) -> Generator[httpx.Request, httpx.Response, str]:
        token, renewals = self._token, self._renewals
        if token and token.serves(self._clock.monotonic(), refused):
            return token.value
        with self._lock:
            if token := self._current(refused):
                return token.value
            if self._failure and self._renewals != renewals:
                raise copy.copy(self._failure)
            if self._entry is None:
                return (yield from self._renewed(request))
            with self._entry.lock():
                # Another thread or process may have renewed it meanwhile.
                if token := self._current(refused):
                    return token.value
                return (yield from self._renewed(request))

    def _current(self, refused: str | None) -> AccessToken | None:
        """Return the token in memory, in the store or in the settings, the first that serves."""
        now = self._clock.monotonic()
        if self._token and self._token.serves(now, refused):
            return self._token
        for token in (self._stored(), self._given):
            if token and token.serves(now, refused) and token.value != self._dropped:
                self._token = token
                return token
        return None

    def _stored(self) -> AccessToken | None:
        """Return the token in the store, unless the clock was set back since it was requested."""
        self._save()
        kept = self._entry.read() if self._entry else None
        if kept is None:
            return None
        self._share(kept.access_token)
        self.received({"refresh_token": kept.refresh_token})
        age = self._clock.time() - kept.asked
        if kept.life is not None and age < 0:  # it would expire later than the partner declared
            return None
        return self._timed(kept, self._clock.monotonic() - age)

    def _save(self) -> None:
        if self._unsaved and self._entry:
            self._entry.write(self._unsaved)
        self._unsaved = None

    def _timed(self, kept: KeptToken, asked: float) -> AccessToken:
        """Return a token that was requested at the clock reading *asked*."""
        life = kept.life
        until = None if life is None else asked + max(life - self._early, life / 2)
        return AccessToken(kept.access_token, until)

    def _renewed(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, str]:
        asked, date = self._clock.monotonic(), self._clock.time()
        self._failure = None
        try:
            self._unsaved = kept = yield from self._exchanged(request, date)
            self._save()
        except IntegrationError as error:
            alone = isinstance(error, Stopped)  # no other call has to end
            self._failure = _unavailable("An exchange was stopped") if alone else error
            raise
        except GeneratorExit:  # the client ends the flow when the request gets no answer
            self._failure = _unavailable(f"`{place(self._request(request))}` got no answer")
            raise
        else:
            self._token, self._dropped = self._timed(kept, asked), None
            return kept.access_token
        finally:
            self._renewals += 1

    def _exchanged(
        self, request: httpx.Request, asked: float
    ) -> Generator[httpx.Request, httpx.Response, KeptToken]:
        """Return a new token from the token endpoint, on behalf of *request*.

        The client ends the flow if it gets no answer. *asked* is the time of the clock.
        """
        response = yield self._request(request)
        response.read()
        if not response.is_success:
            raise _refused(error_from_response(response, self._redactor))
        return self._accepted(*_answer(response), asked)

    def _request(self, request: httpx.Request) -> httpx.Request:
        form = self.grant()
        headers = {"Accept": "application/json"}
        if agent := request.headers.get("user-agent"):
            headers["User-Agent"] = agent
        if self._style == "form":
            form |= {"client_id": self._client[0], "client_secret": self._client[1]}
        else:  # RFC 6749, 2.3.1: form-encoded before they are joined
            pair = ":".join(quote_plus(part) for part in self._client)
            headers["Authorization"] = f"Basic {_base64(pair)}"
        extensions: dict[str, Any] = {"token": True}
        if self.repeatable:
            extensions["idempotent"] = True
        if "timeout" in request.extensions:
            extensions["timeout"] = request.extensions["timeout"]
        return httpx.Request("POST", self._url, data=form, headers=headers, extensions=extensions)

    def _accepted(self, answer: Mapping[str, Any], value: str, asked: float) -> KeptToken:
        self._share(value)
        self.received(answer)
        life = _seconds(answer.get("expires_in"))
        return KeptToken(value, asked, life, self.grant().get("refresh_token"))

    def _share(self, secret: str) -> None:
        for protect in self._confidants:
            protect(secret)


class OAuthClientCredentials(OAuthCredentials):
    """Tokens for an app of its own (OAuth 2, client credentials grant).

    They are requested at *token_url*, for a *scope* if there is one. A token is renewed *early*
    seconds before it expires, but not before half its life, and once after a 401. With the *style*
    `form` the client's ID and secret are in the form, with `basic` in a header.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about the token endpoint
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        early: float = 60.0,
        style: Style = "form",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, early=early, style=style, clock=clock)
        self._scope = scope

    def grant(self) -> dict[str, str]:
        """Return the form fields of a token request, without those of the client."""
        scope = {"scope": self._scope} if self._scope else {}
        return {"grant_type": "client_credentials", **scope}


class OAuthRefreshToken(OAuthCredentials):
    """Tokens on behalf of a user who consented once (OAuth 2, refresh token grant).

    Arguments that `OAuthClientCredentials` has mean the same.
    An *access_token* that is there already serves until it is refused.
    Where the endpoint replaces the refresh token, the new one is used from then on and given to
    *rotated*, for keeping. The hook `refresh` replaces the request to the endpoint.
    """

    repeatable = False  # a refresh token may serve only once
    rotates = True

    def __init__(  # noqa: PLR0913 - each is one fact about the token endpoint
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        *,
        access_token: str | None = None,
        scope: str | None = None,
        early: float = 60.0,
        style: Style = "form",
        clock: Clock | None = None,
        rotated: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, early=early, style=style, clock=clock)
        self._scope = scope
        self._refresh_token = refresh_token
        self._token = AccessToken(access_token) if access_token else None
        self._rotated = rotated
        self._exchange: Callable[[str], Any] | None = None
        for secret in filter(None, (refresh_token, access_token)):
            self._redactor.protect(secret)

    def confide(self, protect: Protect) -> None:
        """Call *protect* with the refresh token too."""
        protect(self._refresh_token)
        super().confide(protect)

    def grant(self) -> dict[str, str]:
        """Return the form fields of a token request, without those of the client."""
        scope = {"scope": self._scope} if self._scope else {}
        return {"grant_type": "refresh_token", "refresh_token": self._refresh_token, **scope}

    def received(self, answer: Mapping[str, Any]) -> None:
        """Keep a refresh token that replaces the current one."""
        fresh = answer.get("refresh_token")
        if isinstance(fresh, str) and fresh and fresh != self._refresh_token:
            self._refresh_token = fresh
            self._share(fresh)
            if self._rotated:
                self._rotated(fresh)

    def exchange_by(self, exchange: Callable[[str], Any]) -> None:
        """Obtain tokens from *exchange* in place of the endpoint, under the same rules.

        It gets the refresh token and returns a RefreshedToken. An IntegrationError that it raises
        concerns the connection.
        """
        self._exchange = exchange

    def _exchanged(
        self, request: httpx.Request, asked: float
    ) -> Generator[httpx.Request, httpx.Response, KeptToken]:
        if self._exchange is None:
            return (yield from super()._exchanged(request, asked))
        try:
            found = self._exchange(self._refresh_token)
        except Stopped:
            raise
        except IntegrationError as error:
            refused = _refused(error)
            refused.scope = "connection"
            raise refused from error.__cause__
        return self._accepted(*_exchanged_for(found), asked)


def _refused(error: IntegrationError) -> IntegrationError:
    """Return a 401 for a 400, which token endpoints send for invalid credentials."""
    if not isinstance(error, APIError) or error.status != 400:
        return error
    return _denied(str(error), error.code, error.response)


def _denied(message: str, code: str, response: httpx.Response | None) -> IntegrationError:
    """Return the error for a refusal with an OAuth *code*; some say that the server is busy."""
    error: IntegrationError = InvalidAuthenticationError(message, code)
    if code in _BUSY:
        error = RetryableError(message, code, 503, scope="connection")
    error.response = response
    return error


def _answer(response: httpx.Response) -> tuple[Mapping[str, Any], str]:
    """Return the answer of a token endpoint and its access token.

    Raises RetryableError (401) where it holds no usable token: such an answer may be a mishap, but
    if it stays, it is no outage that ends by itself. A web page is one (502).
    """
    try:
        answer = json_body(response)
    except RetryableError as error:
        error.scope = "connection"
        raise
    except IntegrationError as error:
        raise _unusable(str(error), error.code, response) from None
    where = f"`{place(response.request)}`"
    found = answer if isinstance(answer, dict) else {}
    token, code = found.get("access_token"), found.get("error")
    if isinstance(token, str) and TOKEN.fullmatch(token):
        return found, token
    if isinstance(code, str) and code:
        raise _denied(f"{where} refused the credentials ({code}).", code, response)
    why = "without an" if token is None or token == "" else "with an unusable"
    raise _unusable(f"{where} answered {why} `access_token`.", "NO_ACCESS_TOKEN", response)


def _unavailable(what: str) -> RetryableError:
    message = f"{what}, on behalf of several requests."
    return RetryableError(message, "TOKEN_UNAVAILABLE", scope="connection")


def _exchanged_for(found: Any) -> tuple[Mapping[str, Any], str]:
    """Return what the hook `refresh` has returned, as `_answer` does."""
    if not isinstance(found, RefreshedToken):
        got = "nothing" if found is None else type(found).__name__
        message = f"Hook `refresh` must return a RefreshedToken, got {got}."
        raise IntegrationError(message, "RESULT_TYPE", 500, scope="connection")
    token = found.access_token
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        message = "Hook `refresh` returned a RefreshedToken without a usable `access_token`."
        raise _unusable(message, "NO_ACCESS_TOKEN", None)
    return {"refresh_token": found.refresh_token, "expires_in": found.expires_in}, token


def _unusable(message: str, code: str, response: httpx.Response | None) -> RetryableError:
    error = RetryableError(message, code, 401, scope="connection")
    error.response = response
    return error


def _seconds(value: Any) -> float | None:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError, OverflowError):
        return None


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
