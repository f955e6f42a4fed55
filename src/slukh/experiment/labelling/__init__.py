"""Labelling by ear: what differs between two texts, the second of audio it is in, and who was right."""
