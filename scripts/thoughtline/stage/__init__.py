"""The stage: hub repositories at pinned revisions, fetched and checked once, read by every job offline."""
