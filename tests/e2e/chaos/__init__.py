"""The chaos test: its instance, the faults between it and the front door, its clients, and what they must agree on."""
