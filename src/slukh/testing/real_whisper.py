"""Other people's Whisper servers, installed from PyPI into environments of their own and started on loopback.

    with running(SERVERS["wyoming-faster-whisper"], model_folder) as server:
        ...                             # point a recogniser at server.address

They are what the dialects are held to (`make test-servers`) and what they are measured on. An environment is
made once, in the user's cache; each is about half a gigabyte.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from slukh.errors import ServiceError
from slukh.ports import reserved_port

_INSTALL_SECONDS = 1800  # from a slow index
_START_SECONDS = 300
# PyAV 19 dropped an argument that faster-whisper 1.2.1 uses to open files.
_FASTER_WHISPER = ("faster-whisper==1.2.1", "ctranslate2==4.8.5", "av==18.1.0")
_WHISPER_LIVE = (
    "import sys; from whisper_live.server import TranscriptionServer; "
    "TranscriptionServer().run('127.0.0.1', port=int(sys.argv[1]), backend='faster_whisper', "
    "faster_whisper_custom_model_path=sys.argv[2], single_model=True, max_clients=32)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealServer:
    """A server that can be installed.

    Attributes:
        package: on PyPI.
        version: of it.
        scheme: before `127.0.0.1:PORT` in its address.
        command: program and arguments, from the environment's folder, the model's folder and a port.
        packages: installed with it.
        with_dependencies: of its own; without, `packages` are all it gets.
        stand_ins: what it imports and does without; `stand_in.py` is there instead.
    """

    package: str
    version: str
    scheme: str
    command: Callable[[Path, Path, int], list[str]]
    packages: tuple[str, ...] = _FASTER_WHISPER
    with_dependencies: bool = True
    stand_ins: tuple[str, ...] = ()

    def model_name(self, model: Path) -> str:
        """What it calls the model that it runs."""
        return f"faster-whisper:{model}" if self.package == "open-asr-server" else "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One that runs.

    Attributes:
        address: as `WHISPER_API_URL` has it.
        port: on 127.0.0.1.
        process: may be killed.
    """

    address: str
    port: int
    process: "subprocess.Popen[bytes]"


def _faster_whisper_server(folder: Path, model: Path, port: int) -> list[str]:
    return [f"{folder}/bin/faster-whisper-server", f"{model}", "--host", "127.0.0.1", "--port", f"{port}"]


def _open_asr_server(folder: Path, model: Path, port: int) -> list[str]:
    program = [f"{folder}/bin/open-asr-server", "serve", "--port", f"{port}"]
    return [*program, "--preload", f"faster-whisper:{model}"]


def _wyoming(folder: Path, model: Path, port: int) -> list[str]:
    program = [f"{folder}/bin/wyoming-faster-whisper", "--uri", f"tcp://127.0.0.1:{port}"]
    engine = ["--stt-library", "faster-whisper", "--beam-size", "1", "--compute-type", "int8"]
    return [*program, "--model", f"{model}", "--data-dir", f"{folder}", "--language", "auto", *engine,
            "--local-files-only"]  # fmt: skip


def _whisper_live(folder: Path, model: Path, port: int) -> list[str]:
    return [f"{folder}/bin/python", "-c", _WHISPER_LIVE, f"{port}", f"{model}"]


def _whisperlivekit(folder: Path, model: Path, port: int) -> list[str]:
    program = [f"{folder}/bin/wlk", "--host", "127.0.0.1", "--port", f"{port}", "--model_dir", f"{model}"]
    engine = ["--backend", "faster-whisper", "--backend-policy", "localagreement", "--language", "uk"]
    # Without its own voice detection: we cut the utterances, and it would cut them into pieces.
    return [*program, *engine, "--pcm-input", "--no-vac", "--min-chunk-size", "1", "--warmup-file", ""]


SERVERS: dict[str, RealServer] = {
    server.package: server
    for server in (
        RealServer(
            package="faster-whisper-server", version="0.0.3", scheme="http", command=_faster_whisper_server
        ),
        RealServer(package="open-asr-server", version="0.3.0", scheme="http", command=_open_asr_server),
        RealServer(
            package="wyoming-faster-whisper", version="3.8.1", scheme="wyoming+tcp", command=_wyoming
        ),
        RealServer(
            package="whisper-live",
            version="0.10.0",
            scheme="whisperlive+ws",
            command=_whisper_live,
            packages=(
                *_FASTER_WHISPER, "fastapi", "uvicorn", "websockets", "python-multipart", "onnxruntime",
                "prometheus_client",
            ),
            with_dependencies=False,
            stand_ins=("torch",),
        ),
    )
}  # fmt: skip
_WHISPERLIVEKIT = RealServer(
    package="whisperlivekit",
    version="0.2.26",
    scheme="whisperlivekit+ws",
    command=_whisperlivekit,
    packages=(
        *_FASTER_WHISPER, "fastapi", "uvicorn", "websockets", "python-multipart", "tiktoken", "soundfile",
    ),
    with_dependencies=False,
    stand_ins=("torch", "numba", "librosa"),
)  # fmt: skip
SERVERS |= {
    "whisperlivekit-asr": _WHISPERLIVEKIT,
    "whisperlivekit-listen": replace(_WHISPERLIVEKIT, scheme="deepgram+ws"),
}


def environment(server: RealServer) -> Path:
    """The folder of the environment that has a server; made the first time.

    Raises:
        ServiceError: it cannot be installed.
    """
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    folder = (
        platformdirs.user_cache_path("slukh") / "test-servers" / f"{server.package}-{server.version}-{python}"
    )
    wanted = (f"{server.package}=={server.version}", *server.packages)
    ready = folder / "ready"
    if ready.is_file() and ready.read_text() == "\n".join(wanted):
        return folder
    venv.create(folder, with_pip=True, clear=True)
    if server.with_dependencies:
        _install(folder, wanted)
    else:
        _install(folder, (f"{server.package}=={server.version}", "--no-deps"))
        _install(folder, server.packages)
    ready.write_text("\n".join(wanted))
    return folder


def _install(folder: Path, what: tuple[str, ...]) -> None:
    pip = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    try:
        done = subprocess.run(  # noqa: S603  # our own arguments
            pip, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(
            f"{what[0]} was not installed in {_INSTALL_SECONDS} s",
            remedy="is the package index quick enough?",
        ) from error
    if done.returncode != 0:
        last_line = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise ServiceError(f"{what[0]} cannot be installed ({last_line})", remedy="is there a package index?")


@contextlib.contextmanager
def starting(server: RealServer, model: Path) -> Iterator[Running]:
    """A server that was started, and may not answer yet."""
    folder = environment(server)
    stand_ins = folder / "stand-ins"
    for name in server.stand_ins:
        (stand_ins / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).with_name("stand_in.py"), stand_ins / name / "__init__.py")
    with reserved_port() as port:
        process = subprocess.Popen(  # noqa: S603  # our own arguments
            server.command(folder, model, port),
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{stand_ins}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield Running(address=f"{server.scheme}://127.0.0.1:{port}", port=port, process=process)
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running(server: RealServer, model: Path) -> Iterator[Running]:
    """A server that takes connections.

    Raises:
        ServiceError: it cannot be installed, or does not start.
    """
    with starting(server, model) as started:
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(started.port):
            if started.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"{server.package} did not start", remedy="run it by hand to see why")
            time.sleep(0.2)  # another program's start has no event that we could wait for
        yield started


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
