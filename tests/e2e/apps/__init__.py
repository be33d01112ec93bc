"""Real applications in real frameworks, run by real servers behind the front door."""
