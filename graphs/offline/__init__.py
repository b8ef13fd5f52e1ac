"""The chat model that needs no network: classical text processing behind a chat model's face."""

from graphs.offline.model import OfflineChatModel

__all__ = ["OfflineChatModel"]
