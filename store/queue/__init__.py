"""Wake-ups: Celery messages on Redis that say that there is work."""
