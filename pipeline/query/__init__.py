"""Questions that readers ask of a warehouse as it was published; each is answered by SQL."""
