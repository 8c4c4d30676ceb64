"""What a serving process knows of itself. `todo_api.server` sets it; under any other server it stays as it is."""

# Which of the workers this is, from 0; a replacement takes the number of the one that died.
worker = 0
# The service is stopping: it still answers, but nobody should send it more.
draining = False
