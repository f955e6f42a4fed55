"""Whisper, here in a child process or on a server: two decoders, one policy."""
