"""A Caddyfile → a draft."""
