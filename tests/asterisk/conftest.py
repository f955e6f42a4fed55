"""A real Asterisk in a chroot, in a network of its own, so that the ports of the example files are free.

The first run unpacks Debian's packages into the user's cache, from the mirror that this machine's apt uses.
Remove the folder to get newer ones.
"""

import ctypes
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs
import pytest

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "asterisk"
# No older Debian has an Asterisk with chan_websocket.
SUITE = "sid"
SECRET = "test-secret"
ETC = "etc/asterisk-slukh"
_CLONE_NEWNET = 0x40000000


def skip(reason: str) -> None:
    pytest.skip(f"NO REAL ASTERISK IS TESTED: {reason}")


def run(*command: str, cwd: Path | None = None, seconds: float = 300.0) -> str:
    """What a command prints. Skips all tests when it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        skip(f"{command[0]}: {error}")
    if done.returncode != 0:
        skip(f"{command[0]} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return done.stdout


def build(cache: Path) -> Path:
    """The folder with Asterisk, made when it is not there."""
    root = cache / "root"
    if root.is_dir():
        return root
    filters = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
    mirrors = run("apt-get", "indextargets", "--format", "$(REPO_URI)", *filters).split()
    if not mirrors:
        skip("this machine's apt knows no Debian mirror")
    tool = cache / "mmdebstrap"
    if not tool.is_dir():
        run("apt-get", "download", "mmdebstrap", cwd=cache)
        [package] = cache.glob("mmdebstrap_*.deb")
        run("dpkg-deb", "--extract", str(package), str(tool))
    unfinished = cache / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    run(
        "perl", str(tool / "usr/bin/mmdebstrap"), "--quiet", "--variant=extract",
        # A mirror that is kept still has a release file past its date.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        "--include=base-files,asterisk", SUITE, str(unfinished), mirrors[0],
        seconds=1500.0,
    )  # fmt: skip
    unfinished.rename(root)
    return root


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    if os.geteuid() != 0:
        skip("a chroot needs root")
    cache = platformdirs.user_cache_path("slukh") / "asterisk"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield build(cache)


@pytest.fixture(scope="session")
def own_network(root: Path) -> None:
    """From here on this process and its children have a loopback of their own, and nothing else."""
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET) != 0:
        skip("this system gives no network namespace")
    run("ip", "link", "set", "lo", "up")


@dataclass(frozen=True, kw_only=True)
class Asterisk:
    """A running Asterisk."""

    root: Path
    log: Path

    def tell(self, command: str) -> str:
        """What its command line answers."""
        words = [
            "chroot",
            str(self.root),
            "/usr/sbin/asterisk",
            "-C",
            f"/{ETC}/asterisk.conf",
            "-rx",
            command,
        ]
        return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False).stdout


@pytest.fixture(scope="session")
def asterisk(
    root: Path, own_network: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asterisk]:
    etc = root / ETC
    shutil.rmtree(etc, ignore_errors=True)
    etc.mkdir()
    for file in (*(HERE / "etc").iterdir(), *EXAMPLES.glob("*.conf")):
        text = file.read_text(encoding="utf-8")
        for name in ("SLUKH_API_TOKEN", "SLUKH_WEBSOCKET_PASSWORD"):
            text = text.replace(name, SECRET)
        (etc / file.name).write_text(text, encoding="utf-8")
    log = tmp_path_factory.mktemp("asterisk") / "log"
    running = Asterisk(root=root, log=log)
    with log.open("w") as out, started(root, out) as process:
        try:
            give_up = time.monotonic() + 300
            while "booted" not in running.tell("core waitfullybooted"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < give_up, log.read_text()
                time.sleep(0.2)
            yield running
        finally:
            process.terminate()
            if request.session.testsfailed:
                sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-100_000:])


def started(root: Path, out: IO[str]) -> "subprocess.Popen[bytes]":
    # It ends with this process, however that ends.
    command = ["setpriv", "--pdeathsig", "TERM", "chroot", str(root), "/usr/sbin/asterisk"]
    return subprocess.Popen(
        [*command, "-f", "-vvv", "-C", f"/{ETC}/asterisk.conf"], stdout=out, stderr=subprocess.STDOUT
    )
