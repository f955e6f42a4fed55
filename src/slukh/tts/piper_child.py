"""The process that speaks with Piper: `python -m slukh.tts.piper_child VOICE.onnx`. See `child.py`.

Piper (`piper-tts`) is GPL-3.0-or-later and is imported here and nowhere else. A voice is its ONNX file with
`VOICE.onnx.json` beside it; each has a licence of its own.
"""

import json
import struct
import sys


def _send(data: bytes, *, is_error: bool = False) -> None:
    sys.stdout.buffer.write(struct.pack("<i", -len(data) if is_error else len(data)) + data)
    sys.stdout.buffer.flush()


def main() -> None:
    """Speak until standard input ends."""
    path = sys.argv[1]
    try:
        from piper import PiperVoice, SynthesisConfig

        voice = PiperVoice.load(path)
    except Exception as error:  # noqa: BLE001  # whatever a voice file can be wrong by
        _send(f"Piper cannot load {path} ({type(error).__name__}: {error})"[:300].encode(), is_error=True)
        return
    _send(json.dumps({"sample_rate_hertz": voice.config.sample_rate}).encode())
    for line in sys.stdin:
        job = json.loads(line)
        try:
            settings = SynthesisConfig(length_scale=1.0 / float(job["rate"]))
            for chunk in voice.synthesize(job["text"], settings):
                _send(chunk.audio_int16_bytes)
        except Exception as error:  # noqa: BLE001  # one sentence's fault must not end the voice
            _send(f"Piper cannot say this ({type(error).__name__})".encode(), is_error=True)
            continue
        _send(b"")


if __name__ == "__main__":
    main()
