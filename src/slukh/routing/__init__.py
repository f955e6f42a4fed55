"""Which recogniser hears an utterance, and what happens when it fails."""
