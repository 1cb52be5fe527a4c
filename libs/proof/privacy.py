"""I12: nobody's identity number or name in logs, topics, metrics or databases, in clear.

Secrets are looked for as they stand in UTF-8, as JSON escapes them, and in URLs' percent form.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import quote

from proof.rows import Passage

FINGER = 3
"""Bytes of a secret's beginning by which candidates are found before they are compared."""


class Secrets:
    """Finds any of many secrets in bytes in one pass, however many they are."""

    def __init__(self, secrets: Iterable[str]) -> None:
        by_finger: dict[bytes, set[bytes]] = defaultdict(set)
        self.count = 0
        for secret in set(secrets):
            assert len(secret.encode()) >= FINGER, "too short to be looked for"
            self.count += 1
            for form in forms(secret):
                by_finger[form[:FINGER]].add(form)
        self._forms = dict(by_finger)
        self._lengths = {
            finger: sorted({len(form) for form in found}) for finger, found in by_finger.items()
        }
        fingers = b"|".join(re.escape(finger) for finger in sorted(by_finger))
        self._finger = re.compile(b"(?=(" + fingers + b"))") if fingers else None

    def found_in(self, content: bytes) -> int:
        """How many times a secret begins somewhere in these bytes."""
        if self._finger is None:
            return 0
        count = 0
        for match in self._finger.finditer(content):
            finger, at = match[1], match.start()
            candidates = self._forms[finger]
            count += any(content[at : at + n] in candidates for n in self._lengths[finger])
        return count


def forms(secret: str) -> set[bytes]:
    escaped = json.dumps(secret)[1:-1]
    return {
        secret.encode(),
        escaped.encode(),
        escaped.upper().replace("\\U", "\\u").encode(),
        quote(secret, safe="").encode(),
        quote(secret, safe="").lower().encode(),
    }


def disclosed(secrets: Secrets, passages: Iterable[Passage]) -> list[str]:
    """I12: where a secret stands; the secret itself is not repeated."""
    return [
        f"{count} identity numbers or names in {passage.where}"
        for passage in passages
        if (count := secrets.found_in(passage.content))
    ]
