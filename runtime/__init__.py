"""The process and its environment: logs, traces, durable files, and outbound addresses."""
