"""`WHISPER_API_URL`: the scheme says which protocol a server speaks. Pure.

    http://gpu1:8000                    OpenAI's POST /v1/audio/transcriptions, or what probing finds there
    whisper.cpp+http://gpu1:8080        whisper.cpp's POST /inference
    whisperlive+ws://gpu1:9090          WhisperLive's socket
    deepgram+wss://api.deepgram.com     Deepgram's /v1/listen, also WhisperLiveKit's
    whisperlivekit+ws://gpu1:8000       WhisperLiveKit's own /asr
    realtime+wss://api.openai.com       the realtime transcription family: OpenAI, speaches, vLLM
    wyoming+tcp://gpu1:10300            Wyoming

Several addresses stand side by side, separated by commas.
"""

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from slukh.errors import SettingsError

Dialect = Literal["openai", "whisper.cpp", "whisperlive", "deepgram", "whisperlivekit", "realtime", "wyoming"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

# What may stand behind the plus, and the path that a bare address means.
_WIRES: dict[Dialect, tuple[tuple[str, ...], str]] = {
    "openai": (("http", "https"), "/v1/audio/transcriptions"),
    "whisper.cpp": (("http", "https"), "/inference"),
    "whisperlive": (("ws", "wss"), "/"),
    "deepgram": (("ws", "wss"), "/v1/listen"),
    "whisperlivekit": (("ws", "wss"), "/asr"),
    "realtime": (("ws", "wss"), "/v1/realtime"),
    "wyoming": (("tcp",), ""),
}
_WYOMING_PORT = 10300
_REMEDY = (
    "use an address such as http://10.0.0.5:8000, or one that begins with "
    "whisper.cpp+http://, whisperlive+ws://, deepgram+ws://, whisperlivekit+ws://, realtime+ws:// or wyoming+tcp://"
)
# Services that bill each request, by domain, and what price books call them.
_HOSTED = {"openai.com": "openai", "groq.com": "groq", "deepgram.com": "deepgram"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, and what it speaks.

    Attributes:
        dialect: by its scheme; `openai` is only presumed.
        url: what is connected to: scheme of the wire, host, port, path.
        is_bare: nobody said the dialect, so the server may be asked what it is.
    """

    dialect: Dialect
    url: str
    is_bare: bool = False

    @property
    def key(self) -> str:
        """`host:port`, the name of a server among several."""
        return urlsplit(self.url).netloc

    @property
    def is_hosted(self) -> bool:
        """Whether it is one of the services that are known to bill each request."""
        return self._service is not None

    def payee(self, *, metered: bool) -> str:
        """Who is paid for what it hears: a service by its name, a host that bills by its own, else nobody.

        `whisper` is one's own machine, which price books rate at nothing per second.
        """
        return self._service or (urlsplit(self.url).hostname or self.key if metered else "whisper")

    @property
    def _service(self) -> str | None:
        host = urlsplit(self.url).hostname or ""
        return next((n for domain, n in _HOSTED.items() if f".{host}".endswith(f".{domain}")), None)

    def __str__(self) -> str:
        return self.url if self.dialect == "openai" else f"{self.dialect}+{self.url}"


def addresses(urls: str) -> tuple[Address, ...]:
    """The servers of a setting, none when it is empty.

    Raises:
        SettingsError: an address that cannot be one, or one that stands there twice.
    """
    found = tuple(address(url) for url in urls.split(",") if url.strip())
    for at, one in enumerate(found):
        if one.key in (earlier.key for earlier in found[:at]):
            raise SettingsError(f"{one.key} stands twice in WHISPER_API_URL", remedy="name every server once")
    return found


def only_address(urls: str) -> Address:
    """The server of a setting that must name one.

    Raises:
        SettingsError: an address that cannot be one, or several, or none.
    """
    found = addresses(urls) or (address(urls),)
    if len(found) > 1:
        raise SettingsError(f"{len(found)} servers where one is meant", remedy="name one at a time")
    return found[0]


def address(url: str) -> Address:
    """What one URL means.

    Raises:
        SettingsError: not an address of a server.
    """
    parts = urlsplit(url.strip())
    if "://" not in url:
        raise SettingsError("the Whisper server's address has no scheme", remedy=_REMEDY)
    named, _, wire = parts.scheme.rpartition("+")
    dialect = next((known for known in DIALECTS if known == (named or "openai")), None)
    if dialect is None or named == "openai" or wire not in _WIRES[dialect][0]:
        raise SettingsError(f"no Whisper server speaks {parts.scheme!r}", remedy=_REMEDY)
    try:
        port = parts.port
    except ValueError:
        raise SettingsError(f"the port in {parts.netloc!r} is none", remedy="use 1 to 65535") from None
    if not parts.hostname:
        raise SettingsError("the Whisper server's address has no host", remedy=_REMEDY)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(
            "the Whisper server's address carries more than host, port and path",
            remedy="its key belongs into WHISPER_API_KEY",
        )
    path = parts.path.rstrip("/")
    is_bare = not named and not path
    if dialect == "openai" and path.endswith("/inference"):
        dialect = "whisper.cpp"
    netloc = parts.netloc if port or dialect != "wyoming" else f"{parts.netloc}:{_WYOMING_PORT}"
    return Address(dialect=dialect, url=f"{wire}://{netloc}{_path(dialect, path)}", is_bare=is_bare)


def _path(dialect: Dialect, path: str) -> str:
    if dialect == "wyoming":
        return ""
    whole = _WIRES[dialect][1]
    if not path or dialect == "whisperlive":
        return path or whole
    if path.endswith((whole, "/transcriptions", "/inference")):
        return path
    if path.endswith("/v1") and whole.startswith("/v1"):
        return path.removesuffix("/v1") + whole
    return path + whole
