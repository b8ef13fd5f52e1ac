"""Failures addressed to the model: words that it can act on."""


class ToolFailed(Exception):
    """A tool could not do what was asked; its text is for the model, and safe to show anyone."""
