"""The process that speaks with eSpeak NG: `python -m slukh.tts.espeak_child LIBRARY DATA`. See `child.py`.

It loads a library that is under GPL-3.0-or-later, which is why it is a program of its own. Nothing but the
standard library is imported, so it starts in 50 ms.

Source of the constants: espeak-ng 1.52, src/include/espeak-ng/speak_lib.h.
"""

import ctypes
import json
import struct
import sys
from typing import Final

_SYNCHRONOUS: Final = 2
_RATE: Final = 1
_CHARS_UTF8: Final = 1
_SSML: Final = 0x10
_OWN_RATE: Final = 150  # words a minute; espeak's own 175 is too fast for a telephone

_OnSamples = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def _send(data: bytes, *, is_error: bool = False) -> None:
    sys.stdout.buffer.write(struct.pack("<i", -len(data) if is_error else len(data)) + data)
    sys.stdout.buffer.flush()


def _on_samples(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: object) -> int:
    if count > 0:
        _send(ctypes.string_at(samples, 2 * count))
    return 0


def _speak(library: ctypes.CDLL, job: dict[str, object]) -> None:
    text = str(job["text"]).encode() + b"\0"
    if library.espeak_SetVoiceByName(str(job["voice"]).encode()) != 0:
        _send(f"eSpeak NG has no voice {job['voice']!r:.40}".encode(), is_error=True)
        return
    library.espeak_SetParameter(_RATE, round(_OWN_RATE * float(str(job["rate"]))), 0)
    flags = _CHARS_UTF8 | (_SSML if job["ssml"] else 0)
    if library.espeak_Synth(text, len(text), 0, 0, 0, flags, None, None) != 0:
        _send(b"eSpeak NG cannot say this", is_error=True)
        return
    library.espeak_Synchronize()
    _send(b"")


def main() -> None:
    """Speak until standard input ends."""
    path, data = sys.argv[1:]
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        _send(f"{path} cannot be loaded ({error})".encode(), is_error=True)
        return
    rate = library.espeak_Initialize(_SYNCHRONOUS, 100, data.encode(), 0)
    if rate <= 0:
        _send(f"{data} holds no voices of eSpeak NG".encode(), is_error=True)
        return
    on_samples = _OnSamples(_on_samples)  # kept: the library holds a bare pointer to it
    library.espeak_SetSynthCallback(on_samples)
    _send(json.dumps({"sample_rate_hertz": rate}).encode())
    for line in sys.stdin:
        _speak(library, json.loads(line))


if __name__ == "__main__":
    main()
