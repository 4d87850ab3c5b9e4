"""The private key that signs who we are: RSA for RS384 or EC P-384 for ES384, from PEM, JWK or JWKS.

Nothing of a key ever reaches a message: errors of the libraries are replaced by sentences of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from joserfc.jwk import ECKey, RSAKey

from fhir_adapter.errors import UsageError

Algorithm = Literal["RS384", "ES384"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

_RSA_BITS = 3072  # of a new key: as strong as SHA-384 deserves, and every server takes it
_FEWEST_RSA_BITS = 2048  # what RFC 7518 asks for
_CURVE = "P-384"
_MAKE_ONE = "`fhir-adapter init --server URL` makes a key that can be used."
_MARKS_OF_ENCRYPTION = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")


class _Unusable(Exception):
    """The text is a phrase of ours that follows "it"."""


@dataclass(frozen=True)
class SigningKey:
    """One private key; `key_id` is the name under which the server knows its public half."""

    algorithm: Algorithm
    key_id: str
    key: RSAKey | ECKey = field(repr=False)

    def public_jwk(self) -> dict[str, object]:
        """The public half, as the server's administrators need it."""
        public = self.key.as_dict(private=False)
        kept: dict[str, object] = {name: public[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in public}
        return {**kept, "kid": self.key_id, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}

    def private_pem(self) -> bytes:
        return self.key.as_pem(private=True)


def new_key(algorithm: Algorithm) -> SigningKey:
    """A key pair that was never there before."""
    key = RSAKey.generate_key(_RSA_BITS) if algorithm == "RS384" else ECKey.generate_key(_CURVE)
    return SigningKey(algorithm, key.thumbprint(), key)


def public_jwks(keys: Sequence[SigningKey]) -> str:
    """The public halves as a JSON Web Key Set, to hand to the server's administrators."""
    return json.dumps({"keys": [key.public_jwk() for key in keys]}, indent=2)


def read_keys(content: bytes, where: str, key_id: str = "") -> tuple[SigningKey, ...]:
    """The private keys in a PEM, JWK or JWKS text; `where` names it in the `UsageError` that says what is wrong.

    `key_id` chooses one of several, or gives the only one its name.
    """
    try:
        keys = _from_json(content) if content.lstrip()[:1] in (b"{", b"[") else [(_from_pem(content), "")]
        return _chosen([_checked(key, name) for key, name in keys], key_id)
    except _Unusable as unusable:
        raise UsageError(f"The key in {where} cannot be used: it {unusable}.", _MAKE_ONE) from None


def _chosen(keys: Sequence[SigningKey], key_id: str) -> tuple[SigningKey, ...]:
    if not key_id:
        return tuple(keys)
    if len(keys) == 1:
        return (SigningKey(keys[0].algorithm, key_id, keys[0].key),)
    found = tuple(key for key in keys if key.key_id == key_id)
    if not found:
        raise _Unusable("is a set of keys, and none of them has the `key_id` of the settings")
    return found


def _from_pem(content: bytes) -> RSAKey | ECKey:
    if any(mark in content for mark in _MARKS_OF_ENCRYPTION):
        raise _Unusable("is encrypted, and there is nobody to type its password at night; decrypt it into a 0600 file")
    if b"PRIVATE KEY" not in content:
        raise _Unusable(_what_else(content))
    for kind in (RSAKey, ECKey):
        with suppress(Exception):  # whatever the libraries say might quote the key
            return kind.import_key(content)
    raise _Unusable("is damaged, encrypted, or neither an RSA key nor an EC key")


def _what_else(content: bytes) -> str:
    if b"PUBLIC KEY" in content or b"BEGIN CERTIFICATE" in content:
        return "is only the public half; the private key is needed"
    return "is neither PEM nor JWK"


def _from_json(content: bytes) -> list[tuple[RSAKey | ECKey, str]]:
    """Every private key of a JWK or JWKS with its name; public ones beside them are passed over."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise _Unusable("is not valid JSON") from None
    members = found.get("keys", [found]) if isinstance(found, dict) else found
    if not isinstance(members, list) or not members or not all(isinstance(one, dict) for one in members):
        raise _Unusable("is JSON, but not a JWK or a JWKS")
    private = [one for one in members if "d" in one]
    if not private:
        raise _Unusable(_without_private_half(members))
    return [(_from_jwk(one), str(one.get("kid", ""))) for one in private]


def _without_private_half(members: Sequence[Mapping[str, Any]]) -> str:
    if any(one.get("kty") == "oct" for one in members):
        return "is a symmetric key; a pair of a private and a public key is needed"
    return "is only the public half; the private key is needed"


def _from_jwk(jwk: dict[str, Any]) -> RSAKey | ECKey:
    kinds: dict[str, type[RSAKey] | type[ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    kind = kinds.get(str(jwk.get("kty")))
    if kind is None:
        raise _Unusable("is neither an RSA key nor an EC key")
    if jwk.get("use", "sig") != "sig" or "sign" not in jwk.get("key_ops", ["sign"]):
        raise _Unusable("is not meant for signing (`use`, `key_ops`)")
    if jwk.get("alg", "RS384" if kind is RSAKey else "ES384") not in ALGORITHMS:
        raise _Unusable("is meant for another algorithm (`alg`); RS384 or ES384 is needed")
    named = {name: value for name, value in jwk.items() if name not in ("alg", "use", "key_ops", "kid")}
    try:
        return kind.import_key(named)
    except Exception:  # whatever the library says of what it cannot read, it may quote the key
        raise _Unusable("is a JWK that is damaged or incomplete") from None


def _checked(key: RSAKey | ECKey, name: str) -> SigningKey:
    if not key.is_private:
        raise _Unusable("is only the public half; the private key is needed")
    if isinstance(key, RSAKey):
        if key.public_key.key_size < _FEWEST_RSA_BITS:
            raise _Unusable(f"is an RSA key of {key.public_key.key_size} bits; {_FEWEST_RSA_BITS} or more are needed")
        return SigningKey("RS384", name or key.thumbprint(), key)
    if key.curve_name != _CURVE:
        raise _Unusable(f"lies on the curve {key.curve_name}; {_CURVE} is needed")
    return SigningKey("ES384", name or key.thumbprint(), key)
