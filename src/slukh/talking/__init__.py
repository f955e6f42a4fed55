"""Taking turns with a caller: when to speak, when to be silent, and how fast."""
