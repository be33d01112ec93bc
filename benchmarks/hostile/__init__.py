"""Clients that mean harm, a client that does not, and what the second one feels of the first."""
