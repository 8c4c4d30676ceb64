"""HTTP: input, errors, answers, and the OpenAPI document."""
