"""The configuration: one YAML file → a frozen model, or everything that is wrong with it at its line and column."""
