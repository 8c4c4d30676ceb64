"""What concerns the service as a whole: health, documents, commands."""
