"""Hostile clients, a well-behaved client, and what the second one notices of the first."""
