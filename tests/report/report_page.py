"""A strict reader of the report's HTML."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input", "source", "wbr", "col"}
LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction", "manifest", "ping"}


class Page(HTMLParser):
    """Parses at once; `faults` lists unbalanced tags, `loads` whatever a browser would fetch, `text` what is shown."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.faults: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]
        self.loads += re.findall(r"url\((?!['\"]?#)([^)]*)\)|@import ([^;]*)", html)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def handle_startendtag(self, tag, attrs):
        self._look(tag, attrs)

    def handle_starttag(self, tag, attrs):
        self._look(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def _look(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in LOADING or name.startswith("on") or (tag == "link" and value != "data:," and name == "href"):
                self.loads.append(f"{tag} {name}={value}")
            if tag == "a" and name == "href":
                self.links.append(value)
            if name == "href" and tag not in ("a", "link") and not value.startswith("#"):
                self.loads.append(f"{tag} {name}={value}")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("br", "small") and self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += " "

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()} closes something else")

    def handle_data(self, data):
        self.texts.append(data)
        if ("td" in self._open or "th" in self._open) and "style" not in self._open:
            self.tables[-1][-1][-1] += data

    def table(self, *head: str) -> list[list[str]]:
        """The rows below the first head row that starts with these cells."""
        for table in self.tables:
            rows = [[" ".join(cell.split()) for cell in row] for row in table]
            if rows and tuple(rows[0][: len(head)]) == head:
                return rows[1:]
        raise LookupError(f"no table {head}")
