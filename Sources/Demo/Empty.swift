// Files of this target come in the next commits.
