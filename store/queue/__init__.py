"""Wake-ups: Celery messages on Redis that tell workers that there is work."""
