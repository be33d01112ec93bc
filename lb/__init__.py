"""`lb`: the front door for Python apps."""

__version__ = "0.1.0"
