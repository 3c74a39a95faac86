"""A llama model in numpy, read from GGUF, with an adapter that learns. The worker runs it; nothing else imports numpy."""
