"""Prompts as Markdown files with declared variables; imports nothing of Tomato."""
