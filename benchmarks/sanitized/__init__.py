"""A front door built with AddressSanitizer and UndefinedBehaviorSanitizer, and hostile peers that attack it."""
