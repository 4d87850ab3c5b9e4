"""Where requests may go: one rule for every address, whoever wrote it.

The configured base is the only origin that is ever contacted, so a token cannot travel further. Next links,
redirects and whatever else a server writes are resolved against the request they came with and must then lie
on that origin. An alias is another name under which the same server writes its links (behind a reverse proxy,
say): such a link is rewritten to the base and followed there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from fhir_adapter.errors import ForeignUrl, UsageError

_DEFAULT_PORT = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))
_MAX_LENGTH = 16_384
_FOREIGN = "Nothing was sent there and no data was taken from there."


class _Refused(ValueError):
    """An address that cannot be used; the text is a phrase of ours."""


def normalise_base(url: str) -> str:
    """The configured server address in the one spelling used everywhere: lower-case origin, no final slash.

    `UsageError` for anything that cannot be the base of a FHIR server, such as plain http beyond this
    machine.
    """
    parts = _configured(url, "server address")
    path = re.sub(r"(/metadata)?/*$", "", parts.path)
    return f"{_origin(parts)}{path}"


def secure_origin(url: str, what: str, named_by: str = "") -> str:
    """The origin of `url`, with which credentials are safe: https, or http on this machine.

    `UsageError` for anything else, and for an address of this machine that a server elsewhere named (`named_by`).
    """
    try:
        parts = _split(url)
    except _Refused as refused:
        raise UsageError(f"The {what} cannot be used: {refused}.") from None
    host = parts.hostname or ""
    if named_by and _is_local(host) and not _is_local(urlsplit(named_by).hostname or ""):
        raise UsageError(f"The {what} leads into this machine, where a server elsewhere cannot know its way.")
    if parts.scheme == "http" and not is_loopback(host):
        raise UsageError(f"The {what} uses http, which sends credentials in the clear.", "Use https.")
    return _origin(parts)


def _configured(url: str, what: str) -> SplitResult:
    try:
        parts = _split(url.strip())
    except _Refused as refused:
        raise UsageError(
            f"The {what} cannot be used: {refused}.", "Write it like https://fhir.hospital.example/r4"
        ) from None
    if parts.query or parts.fragment:
        raise UsageError(f"The {what} must end with its path, without ? or #.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise UsageError(
            f"The {what} uses http, which sends patient data and credentials in the clear.",
            "Use https; http is accepted only for a server on this machine.",
        )
    return parts


def _split(url: str) -> SplitResult:
    """Parts of an absolute http(s) address without tricks: no user, no control characters, a real port.

    Blanks and characters beyond ASCII, which some servers leave in their links, are percent-encoded.
    """
    if not url or len(url) > _MAX_LENGTH or _UNSAFE.search(url):
        raise _Refused("it is empty, too long, or holds characters that do not belong there")
    try:
        parts = urlsplit(quote(url, safe=_PRINTABLE))
        port = parts.port
    except ValueError:
        raise _Refused("it is not a valid URL") from None
    if parts.scheme not in _DEFAULT_PORT:
        raise _Refused("it is neither http nor https")
    if "@" in parts.netloc:
        raise _Refused("it holds user information; credentials belong in the authentication settings")
    if not parts.hostname or port == 0 or not _AUTHORITY.fullmatch(parts.netloc):
        raise _Refused("it names no host, or no usable port")
    return parts


def _origin(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port or _DEFAULT_PORT[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port == _DEFAULT_PORT[parts.scheme] else f":{port}")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_local(host: str) -> bool:
    """This machine, or an address that means something on its own wire only."""
    try:
        return is_loopback(host) or ipaddress.ip_address(host.partition("%")[0]).is_link_local
    except ValueError:
        return False


@dataclass(frozen=True)
class _Alias:
    """Links beginning with `origin` and `path` mean the base."""

    origin: str
    path: str


class UrlPolicy:
    """Decides for every address whether it may be requested, and in which spelling."""

    def __init__(self, base_url: str, aliases: Sequence[str] = ()) -> None:
        self.base = normalise_base(base_url)
        parts = urlsplit(self.base)
        self._origin = _origin(parts)
        self._path = parts.path
        self._aliases = tuple(self._alias(alias) for alias in aliases)

    @staticmethod
    def _alias(url: str) -> _Alias:
        """An alias is never contacted, so it may be plain http."""
        try:
            parts = _split(url.strip())
        except _Refused as refused:
            raise UsageError(f"An alias of the server address cannot be used: {refused}.") from None
        return _Alias(_origin(parts), parts.path.rstrip("/"))

    def check(self, url: str) -> str:
        """The address to request for an absolute `url`; `ForeignUrl` if it may not be requested at all."""
        try:
            parts = _split(url)
        except _Refused as refused:
            raise ForeignUrl(f"The server gave an address that cannot be followed: {refused}.", _FOREIGN) from None
        origin = _origin(parts)
        path = self._rewritten(origin, parts.path)
        if path is None:
            raise ForeignUrl(
                f"The server pointed to {origin}, which is not the configured server. {_FOREIGN}",
                f"If that is the same server, add {origin} to its aliases in the settings.",
            )
        return self._origin + urlunsplit(("", "", path, parts.query, ""))

    def _rewritten(self, origin: str, path: str) -> str | None:
        if origin == self._origin:
            return path
        for alias in self._aliases:
            if origin == alias.origin and f"{path}/".startswith(f"{alias.path}/"):
                return self._path + path.removeprefix(alias.path) if alias.path else path
        return None

    def gets_credentials(self, url: str) -> bool:
        """Whether a request to `url`, which was checked, may carry credentials."""
        return True  # nothing but the configured server passes the check

    def within(self, path: str) -> str:
        """The address of something of ours: `path` below the base, such as `Observation` or `Patient/a`."""
        return self.check(f"{self.base}/{path}" if path else self.base)

    def resolve(self, reference: str, requested: str) -> str:
        """The address to request for what a server wrote in its answer to `requested`."""
        if reference.startswith(("//", "/\\", "\\")):
            raise ForeignUrl("The server gave an address without a scheme, which is not followed.", _FOREIGN)
        try:
            joined = urljoin(requested, reference)
        except ValueError:
            raise ForeignUrl("The server gave an address that is not a valid URL.", _FOREIGN) from None
        return self.check(joined)


class FilePolicy(UrlPolicy):
    """Decides where the files of an export may be fetched: from the server itself, and from the `hosts` that the
    settings list, which never get credentials. Without `authorised` the server itself gets none either.
    """

    def __init__(self, base_url: str, aliases: Sequence[str], hosts: Sequence[str], *, authorised: bool) -> None:
        super().__init__(base_url, aliases)
        self._hosts = frozenset(origin_of_host(host) for host in hosts)
        self._authorised = authorised

    def check(self, url: str) -> str:
        try:
            return super().check(url)
        except ForeignUrl:
            parts = _parts_or_none(url)
            if parts is None:
                raise
        origin = _origin(parts)
        if origin in self._hosts:
            return origin + urlunsplit(("", "", parts.path, parts.query, ""))
        raise ForeignUrl(
            f"The server keeps files of its export at {origin}, which is not the configured server. {_FOREIGN}",
            f"If the files belong there, add {origin} to `download_hosts` in the settings.",
        )

    def gets_credentials(self, url: str) -> bool:
        return self._authorised and _origin(_split(url)) == self._origin


def origin_of_host(host: str) -> str:
    """The origin meant by a host in the settings; https unless it says otherwise."""
    return _origin(_configured(host if "://" in host else f"https://{host}", "download host"))


def _parts_or_none(url: str) -> SplitResult | None:
    try:
        return _split(url)
    except _Refused:
        return None
