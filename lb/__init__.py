"""`lb`: the front door for Python apps."""

from pathlib import Path

from lb._engine import EngineError, choose_engine, refuse_modules

__version__ = "0.1.0"

engine_problem: EngineError | None = None
"""Why neither engine can be used: the command says so, and no module but the command's own can be imported then."""

try:
    choose_engine(__name__, Path(__file__).parent)
except EngineError as error:
    engine_problem = error
    refuse_modules(__name__, error)
