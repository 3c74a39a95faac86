"""From the retrieval corpus to a full-text index, which stands on a shelf below the warehouse."""
