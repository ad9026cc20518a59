"""The source side seen from here: rsync's argv and words, and the capsules on the source hosts."""
