"""Wake-ups in, facts out: the Celery app and what it does with a chunk."""
