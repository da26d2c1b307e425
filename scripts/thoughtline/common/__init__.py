"""What every stage shares: errors, canonical JSON, atomic files, row formats, journals, deadlines, progress."""
