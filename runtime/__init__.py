"""The process and its surroundings: logs, traces, durable files, and where it may connect."""
