"""The voice back: text in, telephone audio out, whoever speaks."""
