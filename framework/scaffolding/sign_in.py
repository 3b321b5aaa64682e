"""The ways in which a new destination signs in: settings, auth flow and the sandbox's check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class SignIn:
    """One way: source of settings, of the hook `auth`, and of the sandbox's check.

    *names* are imported from `framework`; *sample* are settings that the sandbox accepts.
    """

    settings: str
    names: tuple[str, ...] = ()
    auth: str = ""
    check: str = ""
    state: str = ""
    sample: Mapping[str, str] = field(default_factory=dict)


_CLIENT = """\
    client_id: str = field("Client ID", "ID of your app at the partner.")
    client_secret: str = field("Client secret", "Secret of your app.", type="password")
"""
_HEADER = """\
        return request.headers.get("{header}") == {value}
"""
_BEARER = """\
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.tokens.get(token, 0.0) > self.clock.time()
"""
_ISSUE = """\

    def issue(self, request: SandboxRequest) -> SandboxResponse:
        \"\"\"Return a new token, if the form has the settings of the sandbox.\"\"\"
        form = dict(parse_qsl(request.body.decode()))
        if any(form.get(key) != value for key, value in self.expected().items()):
            return SandboxResponse(400, {"error": "invalid_client"})
        self.number += 1
        token = f"access-{self.number}"
        self.tokens = {token: self.clock.time() + LIFETIME}
"""
_ANSWER = """\
        return SandboxResponse(200, {"access_token": token, "expires_in": LIFETIME})

    def expected(self) -> dict[str, str]:
        \"\"\"Return what the form of a request for a token has to hold.\"\"\"
        return self.access
"""
_ROTATE = """\
        self.refresh = f"refresh-{self.number}"
        answer = {
            "access_token": token,
            "expires_in": LIFETIME,
            "refresh_token": self.refresh,
        }
        return SandboxResponse(200, answer)

    def expected(self) -> dict[str, str]:
        \"\"\"Return what the form of a request for a token has to hold.\"\"\"
        return {**self.access, "refresh_token": self.refresh}
"""
_CLIENT_SAMPLE = {"client_id": "sandbox-app", "client_secret": "sandbox-secret"}

AUTHS: Final[Mapping[str, SignIn]] = MappingProxyType(
    {
        "none": SignIn(
            '    account: str = field("Account", "ID of your account at the partner.")\n',
            sample={"account": "sandbox-account"},
            check="        return True\n",
        ),
        "basic": SignIn(
            '    username: str = field("User name", "Name of the user.")\n'
            '    password: str = field("Password", "Password of the user.", type="password")\n',
            ("basic",),
            "    return basic(settings.username, settings.password)\n",
            "        pair = f\"{self.access['username']}:{self.access['password']}\".encode()\n"
            '        expected = f"Basic {b64encode(pair).decode()}"\n'
            '        return request.headers.get("authorization") == expected\n',
            sample={"username": "sandbox-user", "password": "sandbox-password"},
        ),
        "api-key": SignIn(
            '    api_key: str = field("API key", "Key of your account.", type="password")\n',
            ("api_key",),
            "    return api_key(settings.api_key)\n",
            _HEADER.format(header="x-api-key", value='self.access["api_key"]'),
            sample={"api_key": "sandbox-key"},
        ),
        "client-credentials": SignIn(
            _CLIENT,
            ("OAuthClientCredentials",),
            "    return OAuthClientCredentials(\n"
            '        f"{HOST}/oauth/token",\n'
            "        settings.client_id,\n"
            "        settings.client_secret,\n"
            "    )\n",
            _BEARER,
            _ISSUE + _ANSWER,
            _CLIENT_SAMPLE,
        ),
        "oauth": SignIn(
            _CLIENT
            + '    refresh_token: str = field("Refresh token", "Of the user.", type="password")\n',
            ("OAuthRefreshToken",),
            "    return OAuthRefreshToken(\n"
            '        f"{HOST}/oauth/token",\n'
            "        settings.client_id,\n"
            "        settings.client_secret,\n"
            "        settings.refresh_token,\n"
            "    )\n",
            _BEARER,
            _ISSUE + _ROTATE,
            {**_CLIENT_SAMPLE, "refresh_token": "refresh-0"},
        ),
    }
)
"""The ways to sign in by name."""
