"""Pages of results, written from templates, kept records and accepted numbers."""
