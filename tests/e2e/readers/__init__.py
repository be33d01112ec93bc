"""Servers of other makes, each with an app that tells what the server made of a request."""
