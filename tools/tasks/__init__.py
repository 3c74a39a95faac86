"""The bundled tasks, made from their families: `python -m tools.tasks`."""
