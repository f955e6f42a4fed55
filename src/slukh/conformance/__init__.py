"""How good a Whisper server of somebody's own is, and how many callers it carries."""
