"""A procedural audio-visual world: seeded clips, questions about them, and token-level truth."""
