"""Black-box tests: a real `lb serve` process, real sockets, and what both sides saw."""
