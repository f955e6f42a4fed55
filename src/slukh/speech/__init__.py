"""Voice activity and endpointing, once per call: samples in, utterances out."""
