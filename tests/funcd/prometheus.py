"""Reads the Prometheus text format 0.0.4, strictly enough to notice a malformed page."""

import re
from dataclasses import dataclass

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: (-?\d+))?")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)",?')
_KINDS = {"counter", "gauge", "histogram", "summary", "untyped"}


@dataclass(frozen=True)
class Sample:
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    def has(self, **labels: str) -> bool:
        return set(labels.items()) <= set(self.labels)


class Page:
    def __init__(self, text: str):
        assert text.endswith("\n"), "the last line has no end"
        self.kinds: dict[str, str] = {}
        self.helps: dict[str, str] = {}
        self.samples: list[Sample] = []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert kind in _KINDS and name not in self.kinds, line
                self.kinds[name] = kind
            elif line.startswith("# HELP "):
                self.helps[line.split(" ", 3)[2]] = line
            elif line and not line.startswith("#"):
                self.samples.append(_sample(line))
        keys = [(sample.name, sample.labels) for sample in self.samples]
        assert len(keys) == len(set(keys)), "a sample appears twice"
        for sample in self.samples:
            assert self.family_of(sample.name), f"{sample.name} has no TYPE"

    def family_of(self, name: str) -> str | None:
        for suffix in ("", "_bucket", "_sum", "_count"):
            family = name.removesuffix(suffix)
            if family in self.kinds and name == family + suffix:
                return family
        return None

    def sum(self, name: str, **labels: str) -> float:
        return sum(s.value for s in self.samples if s.name == name and s.has(**labels))

    def families_with(self, **labels: str) -> set[str]:
        return {self.family_of(s.name) for s in self.samples if s.has(**labels)}


def _sample(line: str) -> Sample:
    match = _SAMPLE.fullmatch(line)
    assert match, f"no sample: {line!r}"
    name, labels, value, _ = match.groups()
    found = _LABEL.findall(labels or "")
    assert labels is None or _LABEL.sub("", labels) == "", f"bad labels: {line!r}"
    return Sample(name, tuple(sorted(found)), float(value))
