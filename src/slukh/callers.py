"""Callers' numbers as keyed hashes, and the key's file: the only way from a number to what is kept of it."""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from pathlib import Path

from slukh.errors import LedgerError

_FILE = "caller.key"
_KEY_BYTES = 32


def caller_hash(key: bytes, caller: str | None) -> str | None:
    """A caller's number as 16 hex digits that only the holder of the key can link to it.

    Returns None for a withheld number, so that withheld callers are not all one caller.
    """
    digits = "".join(c for c in caller or "" if c.isdigit())
    if not digits:
        return None
    return hmac.new(key, digits.encode(), hashlib.sha256).hexdigest()[:16]


def named_caller(key: bytes, named: str) -> str | None:
    """The hash of a caller whom people name by the number, or by the hash itself.

    None when it is neither.
    """
    if re.fullmatch("[0-9a-f]{16}", named):  # no number has 16 digits (ITU-T E.164: 15)
        return named
    return caller_hash(key, named)


def made_caller_key(data_dir: Path) -> bytes:
    """The key, made once: a new one would make every caller a new caller.

    It is there whole or not at all, whoever is killed and whoever else makes one at that moment.

    Raises:
        LedgerError: the file cannot be used, or holds no key.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (data_dir / _FILE).exists():
            with tempfile.NamedTemporaryFile("w", dir=data_dir, encoding="ascii") as file:  # mode 0600
                file.write(secrets.token_hex(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(file.name, data_dir / _FILE)
    except OSError as error:
        raise _unusable(data_dir, error) from error
    return read_caller_key(data_dir)


def read_caller_key(data_dir: Path) -> bytes:
    """The key of a gateway that has run.

    Raises:
        LedgerError: there is no file, it cannot be used, or it holds no key.
    """
    path = data_dir / _FILE
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError as error:
        raise LedgerError(
            f"there is no {path}, so no caller's number is known here",
            remedy="set SLUKH_DATA_DIR to the gateway's",
        ) from error
    except OSError as error:
        raise _unusable(data_dir, error) from error
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:  # of an empty one anybody could make every hash
        raise LedgerError(
            f"{path} holds no key of {_KEY_BYTES} bytes",
            remedy="restore it, or remove it: every caller is a new caller then",
        )
    return key


def _unusable(data_dir: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"cannot use {data_dir / _FILE} ({error.strerror})", remedy="make it writable, or set SLUKH_DATA_DIR"
    )
