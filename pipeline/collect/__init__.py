"""From files to evidence: every line lands in raw.lines, and what it says in evidence.records, or evidence.skips."""
