"""A front door built with AddressSanitizer and UndefinedBehaviorSanitizer, and those who try to make it fail."""
