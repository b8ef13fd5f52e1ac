"""The LangGraph state machines; they know tools, prompts and memory's protocols, no server."""
