"""What the API offers: one module a noun."""
