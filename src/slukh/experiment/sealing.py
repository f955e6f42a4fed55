"""Bytes that only the holder of a key can read, change or pass off as others': AES-256-GCM.

A sealed value is 1 byte of version, 12 of nonce, then the ciphertext with its tag of 16. Whose it is is
authenticated with it (associated data), so that one call's value put in another's place does not open.
Nonces are random: NIST SP 800-38D (8.3) allows 2^32 of them under a key.
"""

import hashlib
import json
import secrets

from slukh.errors import ExperimentError

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_LEAST_BYTES = len(_VERSION) + _NONCE_BYTES + 16


class AlteredError(ValueError):
    """A sealed value is not what was sealed, or belongs to something else."""


class Seal:
    """One key.

    Args:
        key: 32 bytes.

    Attributes:
        key_id: tells keys apart, and nothing about them.

    Raises:
        ExperimentError: the extra `experiment` is not installed.
    """

    def __init__(self, key: bytes) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ExperimentError(
                "recordings need the library cryptography", remedy="pip install 'slukh[experiment]'"
            ) from error
        self._cipher = AESGCM(key)
        self._invalid_tag = InvalidTag
        self.key_id = hashlib.sha256(b"slukh recording key" + key).hexdigest()[:8]

    def sealed(self, value: bytes, *owner: object) -> bytes:
        """A value, sealed for its owner: anything that JSON takes, such as ids."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, value, _associated(owner))

    def opened(self, sealed: bytes, *owner: object) -> bytes:
        """What was sealed for that owner.

        Raises:
            AlteredError: it was not, not under this key, or was altered.
        """
        if len(sealed) < _LEAST_BYTES or not sealed.startswith(_VERSION):
            raise AlteredError
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, _associated(owner))
        except self._invalid_tag as error:
            raise AlteredError from error


def _associated(owner: tuple[object, ...]) -> bytes:
    return json.dumps(owner).encode()
