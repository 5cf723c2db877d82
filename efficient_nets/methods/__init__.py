"""Methods that make networks cheap on video, by name: what each says of itself, and its settings as typed."""
