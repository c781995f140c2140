"""One module per command; a command is a dataclass of its options with a method ``run``."""
