"""nginx's configuration language → a draft."""
