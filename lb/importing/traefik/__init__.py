"""Traefik's labels in a compose file, and its own files → a draft."""
