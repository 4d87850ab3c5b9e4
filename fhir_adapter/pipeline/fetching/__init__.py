"""Fetching, from a server or a folder into the landing store."""
