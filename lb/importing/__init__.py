"""Configurations of other proxies → a configuration of lb: what `lb import` does."""
