"""The key that signs: taken only if it is private, strong enough, and nobody else can read it."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from fhir_adapter.ehr.auth.key import Algorithm, SigningKey, new_key, public_jwks, read_keys
from fhir_adapter.ehr.secret_file import read_secret
from fhir_adapter.errors import UsageError

EC = new_key("ES384")
RSA = new_key("RS384")


def refusal(content: bytes, key_id: str = "") -> str:
    with pytest.raises(UsageError) as refused:
        read_keys(content, "key.pem", key_id)
    said = f"{refused.value.message} {refused.value.hint}"
    assert "key.pem" in said
    for line in content.decode("latin-1").replace('"', "\n").split():
        assert len(line) < 12 or line not in said, "the key is in the message"
    return said


def jwk(key: SigningKey, **more: object) -> dict[str, Any]:
    return {**key.key.as_dict(private=True), **more}


def written(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS384"), (EC, "ES384")])
def test_a_new_key_can_be_read_again_from_pem_and_keeps_its_name(key: SigningKey, algorithm: Algorithm) -> None:
    (read,) = read_keys(key.private_pem(), "key.pem")
    assert (read.algorithm, read.key_id) == (algorithm, key.key_id)
    assert read.public_jwk() == key.public_jwk()


@pytest.mark.parametrize("key", [RSA, EC], ids=["RSA", "EC"])
def test_a_jwk_and_a_set_of_them_are_read(key: SigningKey) -> None:
    named = jwk(key, kid="ours", alg=key.algorithm, use="sig", key_ops=["sign"])
    for content in (written(named), written({"keys": [named]}), b"\n " + written([named])):
        (read,) = read_keys(content, "key.jwk")
        assert (read.algorithm, read.key_id) == (key.algorithm, "ours")


def test_of_a_set_the_private_keys_count_and_the_setting_chooses() -> None:
    both = written({"keys": [EC.public_jwk(), jwk(RSA, kid="first"), jwk(EC, kid="second")]})
    assert [key.key_id for key in read_keys(both, "keys.jwks")] == ["first", "second"]
    assert [key.algorithm for key in read_keys(both, "keys.jwks", "second")] == ["ES384"]
    assert "`key_id`" in refusal(both, "third")


def test_the_setting_names_a_key_without_a_name() -> None:
    assert [key.key_id for key in read_keys(EC.private_pem(), "key.pem", "as-registered")] == ["as-registered"]


def test_what_is_printed_for_the_hospital_holds_nothing_private() -> None:
    (shown,) = json.loads(public_jwks([RSA]))["keys"]
    assert set(shown) == {"kty", "n", "e", "kid", "alg", "use", "key_ops"}
    (shown,) = json.loads(public_jwks([EC]))["keys"]
    assert set(shown) == {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}


def test_a_key_does_not_show_itself() -> None:
    assert "PRIVATE" not in repr(RSA)
    assert RSA.key.as_dict(private=True)["d"] not in repr(RSA)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a key at all", "neither PEM nor JWK"),
        (b"{", "not valid JSON"),
        (b'{"a": 1}', "only the public half"),
        (b'{"keys": []}', "not a JWK"),
        (b'{"keys": [1]}', "not a JWK"),
        (written(EC.public_jwk()), "only the public half"),
        (EC.key.as_pem(private=False), "only the public half"),
        (RSA.key.as_pem(private=False), "only the public half"),
        (written({"kty": "oct", "k": "QP937qZuc_c44pxhra-HOzMe8j9p5eGY8i6SajGaPJ8"}), "symmetric"),
        (ECKey.generate_key("P-256").as_pem(private=True), "curve P-256; P-384 is needed"),
        (written(ECKey.generate_key("P-521").as_dict(private=True)), "curve P-521"),
        (OKPKey.generate_key("Ed25519").as_pem(private=True), "neither an RSA key nor an EC key"),
        (written(OKPKey.generate_key("Ed25519").as_dict(private=True)), "neither an RSA key nor an EC key"),
        (EC.key.as_pem(private=True, password="secret"), "is encrypted"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
        (EC.private_pem()[:120], "damaged"),
        (written({"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}), "damaged"),
        (written(jwk(EC, d="####")), "damaged"),
        (written(jwk(RSA, alg="RS256")), "another algorithm"),
        (written(jwk(RSA, use="enc")), "not meant for signing"),
        (written(jwk(RSA, key_ops=["verify"])), "not meant for signing"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_stays_unsaid(content: bytes, says: str) -> None:
    assert says in refusal(content)


@pytest.mark.filterwarnings("ignore:.*key size.*:Warning")
def test_a_short_rsa_key_is_refused() -> None:
    short = RSAKey.generate_key(1024)
    for content in (short.as_pem(private=True), written(short.as_dict(private=True))):
        assert "RSA key of 1024 bits; 2048 or more" in refusal(content)


# Files


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "a key.pem"
    path.write_bytes(b"hidden words\n")
    path.chmod(0o600)
    return path


def refused_file(path: Path) -> str:
    with pytest.raises(UsageError) as refused:
        read_secret(path, "key")
    assert "hidden" not in f"{refused.value.message}{refused.value.hint}"
    return f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_only_its_owner_reads_is_read(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    assert read_secret(secret_file, "key") == b"hidden words\n"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    said = refused_file(secret_file)
    assert f"mode {mode:04o}" in said
    assert f"chmod 600 '{secret_file}'" in said


def test_a_link_is_judged_by_what_it_leads_to(secret_file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret_file)
    assert read_secret(link, "key")
    secret_file.chmod(0o644)
    assert "mode 0644" in refused_file(link)


def test_a_file_that_is_empty_missing_or_none_is_refused(secret_file: Path, tmp_path: Path) -> None:
    secret_file.write_bytes(b" \n")
    assert "is empty" in refused_file(secret_file)
    assert "cannot be read" in refused_file(tmp_path / "nowhere")
    assert "is not a file" in refused_file(tmp_path)
    assert "is not a file" in refused_file(Path("/dev/zero"))


def test_a_file_too_big_for_a_secret_is_not_read_on(secret_file: Path) -> None:
    secret_file.write_bytes(b"x" * (1 << 20) + b"y")
    assert "too big" in refused_file(secret_file)


@pytest.mark.parametrize(("mode", "taken"), [(0o440, True), (0o400, True), (0o460, False), (0o444, False)])
def test_what_root_hands_to_the_group_of_a_service_is_taken(
    mode: int, taken: bool, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd and Kubernetes do it so; what the group can write or anybody can read is refused also then."""
    handed_over = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, 0, 1000, 13, 0, 0, 0))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(Path, "stat", lambda self, **_: handed_over)
    if taken:
        assert read_secret(secret_file, "key") == b"hidden words\n"
    else:
        assert "open to others" in refused_file(secret_file)


def test_a_mere_name_is_looked_for_among_the_credentials_of_the_service(
    secret_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(Path(secret_file.name), "key") == b"hidden words\n"
    assert "cannot be read" in refused_file(Path("other"))
    assert "cannot be read" in refused_file(Path("folder") / secret_file.name)


def test_the_key_file_of_init_is_one_that_base64_tools_can_read() -> None:
    body = b"".join(line for line in RSA.private_pem().splitlines() if not line.startswith(b"-----"))
    assert base64.b64decode(body, validate=True)
