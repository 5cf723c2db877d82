"""The one thing that can go wrong when decoding."""


class DamagedSymbolsError(ValueError):
    """These bytes are not what any encoder writes."""
