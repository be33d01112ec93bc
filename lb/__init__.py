"""`lb`: the front door for Python apps."""

from pathlib import Path

from lb._engine import choose_engine

__version__ = "0.1.0"

choose_engine(__name__, Path(__file__).parent)
