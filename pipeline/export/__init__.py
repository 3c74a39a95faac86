"""From scores to what training reads: the corpora and the playbooks, as tables, as files, and as pages."""
