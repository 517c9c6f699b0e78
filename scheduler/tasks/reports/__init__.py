"""Reports as files: the same summary as CSV, JSON or HTML."""
