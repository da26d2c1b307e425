"""Models: published weights fetched, students trained."""
