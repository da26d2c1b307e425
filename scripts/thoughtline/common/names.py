"""Closed lists of names that the recipe may use, free of heavy imports."""

DOMAINS = ("math", "code", "science", "puzzle", "chat")

MULTIPLE_CHOICE_LETTERS = "ABCDEFGHIJ"

COMBINATION_RULES = ("parser", "judge", "either", "both", "undecided")
"""How a parser's and a judge's words become one verdict: the values of `rule` of a combined verifier, in the order shown."""

FILTERS = (
    "no_figures",
    "no_multipart",
    "has_solution",
    "has_boxed",
    "no_empty_boxed",
    "no_links",
    "no_images",
    "min_length",
    "max_length",
    "has_tests",
    "has_answer",
    "matches",
    "rejects",
)
"""Question filters; each is a function of the same name in questions/filters.py (a test holds them equal)."""
