import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slukh.tts.cache import MemoryStore, sealed, unsealed
from slukh.tts.disk_cache import WRITES_WAITING, DiskStore


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("??/*.phrase"))


KEY, OTHER = "ab" * 32, "cd" * 32
AUDIO = b"\x01\x02" * 500


def test_the_memory_forgets_what_was_not_said_for_longest() -> None:
    memory = MemoryStore(max_bytes=2000)
    for key in ("a", "b"):
        memory.put(key, AUDIO)
    assert memory.get("a") == AUDIO
    memory.put("c", AUDIO)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (AUDIO, None, AUDIO)
    assert memory.bytes == 2000


def test_the_memory_keeps_nothing_larger_than_itself() -> None:
    memory = MemoryStore(max_bytes=10)
    memory.put("a", AUDIO)
    assert (len(memory), memory.bytes) == (0, 0)


def test_a_phrase_grows_old() -> None:
    now = [0.0]
    memory = MemoryStore(max_bytes=2000, max_age_seconds=60, now=lambda: now[0])
    memory.put("a", AUDIO)
    now[0] = 61
    assert memory.get("a") is None
    assert memory.bytes == 0


@pytest.mark.parametrize("change", [0, 20, 41, -1])
def test_a_changed_byte_anywhere_is_noticed(change: int) -> None:
    data = bytearray(sealed(AUDIO))
    data[change] ^= 1
    assert unsealed(bytes(data)) is None
    assert unsealed(sealed(AUDIO)) == AUDIO


@pytest.mark.parametrize("length", [0, 5, 40, 100])
def test_a_cut_phrase_is_noticed(length: int) -> None:
    assert unsealed(sealed(AUDIO)[:length]) is None


async def test_a_phrase_in_a_folder_outlives_its_process(tmp_path: Path) -> None:
    await DiskStore(tmp_path / "new", max_bytes=10_000).put(KEY, AUDIO)
    again = DiskStore(tmp_path / "new", max_bytes=10_000)
    assert await again.get(KEY) == AUDIO
    assert await again.get(OTHER) is None


async def test_a_corrupt_phrase_is_counted_and_made_again(tmp_path: Path) -> None:
    wrong: list[str] = []
    store = DiskStore(tmp_path, max_bytes=10_000, on_error=wrong.append)
    await store.put(KEY, AUDIO)
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-2] + b"xx")
    assert await store.get(KEY) is None
    await store.put(KEY, AUDIO)
    assert await store.get(KEY) == AUDIO
    assert wrong == ["corrupt"]


async def test_a_folder_keeps_to_its_size_and_drops_the_oldest(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, max_bytes=3500)
    for number in range(3):
        await store.put(f"{number:064}", AUDIO)
        path = files(tmp_path)[-1]
        os.utime(path, (number, number))
    await store.put(f"{3:064}", AUDIO)
    kept = [path.stem for path in files(tmp_path)]
    assert f"{0:064}" not in kept
    assert f"{3:064}" in kept
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3500


async def test_an_old_file_is_not_used(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, max_bytes=10_000, max_age_seconds=60)
    await store.put(KEY, AUDIO)
    (path,) = files(tmp_path)
    os.utime(path, (1, 1))
    assert await store.get(KEY) is None


def test_a_disk_that_is_full_costs_the_phrase_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A process that may write no file over 100 bytes meets the disk's refusal in the middle of one."""
    program = (
        "import asyncio, resource, sys, pathlib\n"
        "from slukh.tts.disk_cache import DiskStore\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "wrong = []\n"
        "store = DiskStore(pathlib.Path(sys.argv[1]), max_bytes=10_000, on_error=wrong.append)\n"
        "asyncio.run(store.put('ab' * 32, b'x' * 1000))\n"
        "print(wrong, asyncio.run(store.get('ab' * 32)))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['write'] None\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_folder_that_cannot_be_written_breaks_nothing(tmp_path: Path) -> None:
    """A file stands where the folder should be: the same refusal for root, whom permissions do not bind."""
    (tmp_path / "taken").write_text("")
    wrong: list[str] = []
    store = DiskStore(tmp_path / "taken", max_bytes=10_000, on_error=wrong.append)
    await store.put(KEY, AUDIO)
    assert await store.get(KEY) is None
    assert wrong == ["write", "read"]


async def test_a_hundred_at_once_are_read_and_whoever_gave_up_holds_up_nobody(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, max_bytes=10**7)
    keys = [f"{number:064}" for number in range(100)]
    for key in keys:
        await store.put(key, key.encode())
    asked = [asyncio.create_task(store.get(key)) for key in keys]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    assert await asyncio.gather(*asked[1::2]) == [key.encode() for key in keys[1::2]]
    assert await store.get(keys[0]) == keys[0].encode()


async def test_a_folder_that_does_not_answer_is_left_alone_for_some_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong: list[str] = []
    now = [100.0]
    store = DiskStore(tmp_path, max_bytes=100_000, on_error=wrong.append, now=lambda: now[0])
    await store.put(OTHER, AUDIO)
    path = tmp_path / KEY[:2] / f"{KEY}.phrase"
    path.parent.mkdir()
    os.mkfifo(path)  # whoever opens it waits, as for a file server that is gone
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await store.get(KEY) is None
    assert loop.time() - began < 3
    assert [vars(record).get("detail") for record in caplog.records] == ["no answer in 1 s"]
    began = loop.time()
    assert await store.get(OTHER) is None
    await store.put("ef" * 32, AUDIO)
    assert loop.time() - began < 0.5
    assert wrong == ["read"]
    os.close(os.open(path, os.O_WRONLY))  # it is back
    now[0] += 6
    assert await store.get(OTHER) == AUDIO
    assert len(files(tmp_path)) == 2  # nothing was written meanwhile
    await store.aclose()


async def test_what_waits_to_be_written_is_bounded(tmp_path: Path) -> None:
    wrong: list[str] = []
    store = DiskStore(tmp_path, max_bytes=10_000_000, on_error=wrong.append)
    await asyncio.gather(*(store.put(f"{number:064x}", AUDIO) for number in range(WRITES_WAITING + 3)))
    assert (len(files(tmp_path)), wrong) == (WRITES_WAITING, ["write"] * 3)
    await store.aclose()


async def test_what_was_made_last_is_what_a_process_starts_with_as_far_as_it_has_room(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, max_bytes=10**7)
    for number in range(4):
        await store.put(f"{number:064}", AUDIO)
        os.utime(tmp_path / "00" / f"{number:064}.phrase", (10**9 + number, 10**9 + number))
    (tmp_path / "00" / f"{3:064}.phrase").write_bytes(b"damaged")
    kept = await store.newest(2 * len(sealed(AUDIO)) + 10)
    assert kept == [(f"{1:064}", AUDIO), (f"{2:064}", AUDIO)]
    assert await DiskStore(tmp_path / "none", max_bytes=1).newest(10**7) == []
