"""What a run tells of itself: receipts and a summary, each held against its schema, and one page of it."""
