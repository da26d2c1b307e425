"""Sentences and words of a text, counted as the reference implementation of IFEval counts them, without a trained model.

The reference uses NLTK: Punkt (Kiss and Strunk 2006, Computational Linguistics 32:485) for sentences and the Penn
Treebank conventions for words. The rules of Punkt are kept; instead of parameters learnt from newspapers there are
a list of abbreviations and the text's own evidence: a word that also occurs in lower case is no name, so after an
abbreviation its capital starts a sentence.

Everything here takes time linear in the text.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ABBREVIATIONS = {
    "en": _words(
        "adm apr assn aug ave bldg blvd bros c.f cf ch co col com comdr corp cos dec dept dist dr e.g eds etc feb "
        "fr ft gen gov hon hwy i.e inc jan jr jul lt ltd maj messrs mfg min misc mr mrs ms mt nat'l nov oct p.m a.m "
        "ph.d pp prof pvt rep rev sec sen sep sept sgt sr st ste tel u.k u.n u.s u.s.a v vol vs viz yr yrs m.d b.a "
        "m.a d.c"
    ),
    "ru": _words(
        "т.д т.п т.е т.к т.н т.о т.ч др пр см ср напр г гг в вв н.э руб коп тыс млн млрд ул просп пер д кв стр рис "
        "табл гл проф акад доц тов гр св о обл р-н с п ст т тт изд ред сост мин сек ч кг км см мм м"
    ),
}
"""Words that end with a full stop inside a sentence, without that full stop, by language."""

TITLES = _words("adm capt col dr fr gen gov hon lt maj messrs mr mrs ms mt prof rep rev sen sgt st vs")
"""Abbreviations that stand before names: a capital after them starts no sentence."""

STARTERS = {
    "en": _words(
        "a after all although an and as at because before both but by during each even finally first for from he "
        "her here his how however i if in it its many moreover most my next no not now of on once one or our she "
        "since so some such that the their then there these they this those though through thus to today under "
        "until we what when where whether which while who why with would yet you your"
    ),
    "ru": _words(
        "а без в во вы где да для до его ее если есть её же за и из или их к как когда который кто мы на не но о об "
        "однако он она они от по после потом поэтому при с так также там то тогда только тут у что чтобы эта эти "
        "это этот я"
    ),
}
"""Words that are no names: with a capital after an abbreviation they start a sentence."""

_END = ".?!"
_APART = frozenset(")\";}]*:@'({[!?")
"""Marks that are words of their own in Punkt; one of them, or a blank, must follow the end of a sentence."""

_RUN = re.compile(r"\S+")
_NUMBER = re.compile(r"-?[.,]?\d[\d,.-]*")
_WORD = re.compile(r"[^\W\d_]+")
_INITIALS = re.compile(r"[A-ZА-ЯЁ](?:\.[A-ZА-ЯЁ])*")
_POSTSCRIPTS = ("p.s", "p.p.s")
_CLOSERS = "\"')]}"
_DASHES_OR_DOTS = re.compile(r"-{2,}|\.{2,}")

_SEPARATORS = re.compile(r"\.{3}|--|''|``|[;@#$%&?!()\[\]{}<>\"“”«»„]|[:,](?!\d)")
_CONTRACTED = re.compile(r"(?<=[^' ])('[sSmMdD]|'ll|'LL|'re|'RE|'ve|'VE|n't|N'T)(?=\s|\Z)")
_JOINED = re.compile(r"\b(CAN)(NOT)\b|\b(GIM|LEM)(ME)\b|\b(GON|WAN)(NA)\b|\b(GOT)(TA)\b")


def _end_in(run: str, last: bool) -> int | None:
    """Where a sentence may end in a run of characters without blanks; `last` says that no run follows."""
    for place in range(len(run) - 1, -1, -1):
        if run[place] in _END and (run[place + 1] in _APART if place + 1 < len(run) else not last):
            return place
    return None


def _ends(context: str, following: str, abbreviations: frozenset[str], starts: set[str], listed: bool) -> bool:
    """Whether a sentence ends with `context`, a run up to its full stop or other mark.

    Args:
        following: the text after it.
        starts: words, in lower case, that are no names.
        listed: the run begins its line, so a single letter is the number of a list's item and not an initial.
    """
    start = max((context.rfind(mark) for mark in _APART), default=-1) + 1
    if any(mark in "?!" for mark in context):
        return True
    word = context[start:]
    dots = _DASHES_OR_DOTS.search(word)
    match = _WORD.match(following)
    capital = match is not None and match[0][0].isupper()
    initial = _INITIALS.match(following) is not None and following[1:2] == "."
    starter = capital and not initial and match[0].lower() in starts  # type: ignore[index]
    if dots and word.endswith(".."):
        return starter
    core = word[:-1].lower()
    if not core:
        return True
    if core not in _POSTSCRIPTS and _INITIALS.fullmatch(word[:-1]):
        return starter or (listed and len(core) == 1)
    if _NUMBER.fullmatch(core):
        return match is None or not match[0][0].islower()
    if core in abbreviations or core.rpartition("-")[2] in abbreviations:
        return starter and core not in TITLES
    return True


def count_sentences(text: str, language: str = "en") -> int:
    """How many sentences `text` has; 0 only where it is blank."""
    unclosed = text.rstrip().rstrip(_CLOSERS).rstrip()
    text = unclosed if unclosed.endswith(tuple(_END)) else text
    runs = list(_RUN.finditer(text))
    starts = STARTERS[language] | {word for word in _WORD.findall(text) if word.islower()}
    count = int(bool(runs))
    for number, match in enumerate(runs):
        run, last = match[0], number + 1 == len(runs)
        place = _end_in(run, last)
        if place is not None:
            following = run[place + 1 :] or runs[number + 1][0]
            listed = text[match.start() - 1 : match.start()] == "\n"
            count += _ends(run[: place + 1], following, ABBREVIATIONS[language], starts, listed)
    return count


def count_words(text: str) -> int:
    r"""How many runs of letters, digits and underscores (`\w+`) there are."""
    return sum(1 for _ in re.finditer(r"\w+", text))


def count_capital_words(text: str) -> int:
    """How many words are in capitals throughout; IT'S and DON'T are two words each, A-B is one."""
    text = _SEPARATORS.sub(" ", text)
    text = _CONTRACTED.sub(r" \1", text)
    text = _JOINED.sub(lambda match: " ".join(filter(None, match.groups())), text)
    return sum(word.isupper() for word in text.split())
