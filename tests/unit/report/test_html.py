"""The report in a browser: one file that asks for nothing, holds only text of ours as markup, and stays small."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from random import Random
from xml.etree import ElementTree

import pytest

from ft.core.metrics.scores import ClassScores, Scores
from ft.core.report import html, markdown
from ft.core.report.answered import Answered, Mistake, Reliability
from ft.core.report.gates import Gates, check_gates
from ft.core.report.model import HistoryRow, MainMetric, RunReport
from ft.core.report.showing import Shown

EVIL = "<script>alert('x')</script>"


def category(names: list[str], seed: int = 0) -> Scores:
    draw = Random(seed)
    matrix = [[draw.randrange(9) + 90 * (row == column) for column in range(len(names))] for row in range(len(names))]
    rows = [ClassScores(name, 0.9, 0.8, 0.7, sum(row)) for name, row in zip(names, matrix, strict=True)]
    scores = {"accuracy": 0.9, "f1": 0.8}
    return Scores(scores, {"accuracy": (0.88, 0.92)}, rows, matrix, names, count=sum(map(sum, matrix)))


def report(names: list[str], **changes: object) -> RunReport:
    history = [HistoryRow(epoch, 10 * epoch, 2 / epoch, {"loss": 3 / epoch, "accuracy": 0.5}) for epoch in (1, 2, 3)]
    plain = RunReport(
        name="pets",
        stage="train",
        run_path="runs/pets/1",
        command="ft train pets.yaml",
        main={"animal": MainMetric("accuracy", True)},
        scores={"val": {"animal": category(names)}},
        loss={"val": 0.25},
        history=history,
        best_step=20,
        settings="name: pets\n",
        files={"best weights": "runs/pets/1/checkpoints/best.pt"},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


class Read(HTMLParser):
    """What a browser would see: tags with attributes, words, tables as rows of cells; unclosed tags are an error."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open or "title" in self.open:
            return
        self.words.append(data.strip())
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data.strip()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_file_asks_for_nothing_and_runs_nothing() -> None:
    page = Read(html.render(report(["cat", "dog"])))
    assert not {"script", "link", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "action", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
    policy = next(each for tag, each in page.tags if tag == "meta" and "http-equiv" in each)
    assert "default-src 'none'" in (policy["content"] or "")
    assert "url(" not in html.render(report(["cat", "dog"]))


def test_a_name_that_looks_like_markup_is_shown_as_it_is_wherever_it_stands() -> None:
    gates = check_gates(Gates({f"{EVIL}/acc": 0.5}), {}, {}, {})
    evil = report(
        [EVIL, 'a"b', "it's & <b>"],
        name=EVIL,
        command=f"ft train {EVIL}",
        settings=f"name: {EVIL}",
        notes=[EVIL],
        gates=gates,
        data=EVIL,
        environment={EVIL: EVIL},
        files={EVIL: EVIL},
        choices=[EVIL],
        history=[HistoryRow(1, 1, 1.0, {"loss": 1.0, EVIL: 0.5})],
        monitor=EVIL,
    )
    page = Read(html.render(evil))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(EVIL) >= 12
    assert 'a"b' in page.text
    assert "it's & <b>" in page.text


@pytest.mark.parametrize("name", ["a\x00b\x1b[31m", "x\ud800y", "\u202egnp.exe", "\x85", "\ufffe"])
def test_characters_without_a_form_are_replaced_and_the_file_can_be_written(name: str) -> None:
    text = html.render(report([name, "dog"], name=name, settings=name, command=name))
    assert text.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe]", text)
    assert "\N{REPLACEMENT CHARACTER}" in text


def test_right_to_left_names_are_kept_apart_from_what_stands_beside_them() -> None:
    assert "<bdi>مرحبا</bdi>" in html.render(report(["مرحبا", "猫"]))


@pytest.mark.parametrize(
    "names",
    [
        [f"class {index} {'long ' * 60}" for index in range(1000)],
        ["x" * 100_000, "y" * 100_000],
        [f"{index}" for index in range(20)],
    ],
    ids=["a thousand classes", "endless names", "the largest matrix"],
)
def test_the_file_stays_small_and_what_was_cut_is_said(names: list[str]) -> None:
    large = report(
        names,
        settings="a: b\n" * 200_000,
        notes=["note " * 1000] * 1000,
        data_notes=["word " * 1000] * 5000,
        environment={f"fact {index}": "value " * 200 for index in range(2000)},
        gates=check_gates(Gates({f"m{index}": 0.5 for index in range(3000)}), {}, {}, {}),
        units=[
            {
                "index": index,
                "name": "n" * 500,
                "parameters": 3,
                "trainable": index % 2,
                "rates": [1],
                "from_epochs": [1],
            }
            for index in range(5000)
        ],
    )
    text = html.render(large)
    assert len(text.encode()) <= html.LIMIT
    page = Read(text)
    assert "The first 200 of 3000 rows; the Markdown report beside this file has all." in page.text
    assert "The first 200 of 5000 lines" in page.text
    assert "characters; the Markdown report" in page.text


def test_a_section_that_no_longer_fits_is_left_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = html.render(report(["cat", "dog"], settings="a: b\n" * 5_000))
    monkeypatch.setattr(html, "LIMIT", len(whole.encode()) - 10_000)
    text = html.render(report(["cat", "dog"], settings="a: b\n" * 5_000))
    assert len(text.encode()) <= html.LIMIT
    assert Read(text).text.endswith(
        "Settings Left out, as this file would be too large; the Markdown report beside it has all."
    )


def test_both_reports_have_the_same_sections_tables_and_verdict() -> None:
    of = report(
        ["cat", "dog"],
        gates=check_gates(Gates({"accuracy": 0.5, "f1": 0.9}), {"accuracy": 0.9, "f1": 0.8}, {}, {}),
        data_notes=["12 rows lack a name"],
        choices=["fused optimizer"],
        own={"cost": (1.5, (1.25, 1.75)), "worst": (math.nan, None)},
        parent_scores={"val": {"animal": category(["cat", "dog"], 1)}},
    )
    page, text = Read(html.render(of)), markdown.render(of)
    inside = re.findall(r"<h2 [^>]*>(.*?)</h2>", html.render(of))
    assert inside == [line[3:] for line in text.splitlines() if line.startswith("## ")]
    cells = [
        [cell.strip().strip("*").replace("\\_", "_") for cell in line[1:-1].split(" | ")]
        for line in text.splitlines()
        if line.startswith("|") and not re.fullmatch(r"[|: -]+", line)
    ]
    assert page.rows == cells
    assert "1 of 2 gates failed." in page.text
    assert "accuracy 0.9000 95 % interval 0.8800 to 0.9200" in page.text


def test_headings_tables_and_pictures_can_be_read_aloud() -> None:
    text = html.render(report(["cat", "dog"], gates=check_gates(Gates({"accuracy": 0.5}), {"accuracy": 0.9}, {}, {})))
    page = Read(text)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert text.count("<caption") == text.count("<table")
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        root = ElementTree.fromstring(picture)
        assert root.get("role") == "img"
        assert root[0].tag == "title"
        assert root[0].text
    assert all(each.get("scope") in ("col", "row") for tag, each in page.tags if tag == "th")
    ids = [each["id"] for _, each in page.tags if "id" in each]
    assert len(ids) == len(set(ids))
    assert {each["href"] for tag, each in page.tags if tag == "a"} <= {f"#{each}" for each in ids}


def luminance(colour: str) -> float:
    """WCAG 2: relative luminance of #rrggbb."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def schemes() -> list[dict[str, str]]:
    """The colours by name, in light, dark and print."""
    style = html.render(report(["cat", "dog"])).split("<style>")[1].split("</style>")[0]
    return [
        dict(re.findall(r"--([\w-]+): (#\w{6})", root)) for root in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark", "print"])
@pytest.mark.parametrize(
    ("words", "ground"),
    [
        ("ink", "paper"), ("soft", "paper"), ("soft", "wash"), ("ink", "wash"), ("good", "good-wash"),
        ("bad", "bad-wash"), ("accent", "paper"), ("on-accent", "accent"), ("on-bad", "bad"),
    ],
)  # fmt: skip
def test_words_stand_out_from_what_is_behind_them(scheme: dict[str, str], words: str, ground: str) -> None:
    assert contrast(scheme[words], scheme[ground]) >= 4.5  # WCAG 2, level AA


def test_nothing_evaluated_and_nan_are_defined() -> None:
    bare = RunReport("x", "eval", "runs/x/1", "ft eval", {"price": MainMetric("mae", False)}, {})
    assert "Nothing was evaluated." in Read(html.render(bare)).text
    broken = replace(category(["cat", "dog"]), metrics={"accuracy": math.nan}, intervals={"accuracy": (math.nan,) * 2})
    history = [HistoryRow(1, 1, math.nan, {"loss": math.nan, "accuracy": math.nan})]
    gates = check_gates(Gates({"accuracy": 0.5}), {"accuracy": math.nan}, {"accuracy": (math.nan, math.nan)}, {})
    of = report(["cat", "dog"], scores={"val": {"animal": broken}}, history=history, best_step=None, gates=gates)
    text = html.render(of)
    assert "NaN" in Read(text).text
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))


def mistaken(name: str, words: str = "", picture: str = "") -> Mistake:
    return Mistake(name, "cat", EVIL, 0.9, 0.00001, 11.5, (Shown("picture", picture, words),))


ANSWERED = Answered(
    count=100,
    wrong=7,
    reliability=Reliability((0,) * 13 + (40, 60), (0.0,) * 13 + (36.0, 59.0), (0,) * 13 + (30, 58), 0.07),
    largest_loss=[mistaken("a.png", picture="data:image/png;base64,AAAA")],
    surest=[mistaken(EVIL, words=EVIL)],
)


def test_mistakes_and_reliability_are_told_in_both_reports() -> None:
    of = report(["cat", EVIL], answered={"animal": ANSWERED})
    page, text = Read(html.render(of)), markdown.render(of).replace("\\", "")
    sentence = "is given 0.9500 on average and right for 0.8800 of the examples: over-confident by 0.0700."
    for words in (
        sentence,
        "7 of 100 answers are wrong.",
        "The largest losses",
        "Wrong, and given with the most",
        EVIL,
    ):
        assert words in page.text
        assert words in text
    assert "script" not in {tag for tag, _ in page.tags}
    [picture] = [attributes for tag, attributes in page.tags if tag == "img"]
    assert (picture["src"], picture["alt"]) == ("data:image/png;base64,AAAA", "picture of a.png")
    assert "<0.0001" in page.text
    assert "| 0.87 to 0.93 |       40 | 0.9000 | 0.7500 |" in text


def test_the_diagram_has_a_dot_for_each_bin_that_has_answers() -> None:
    text = html.render(report(["cat", "dog"], answered={"animal": ANSWERED}))
    [drawing] = [each for each in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if "confidence of the answer" in each]
    dots = [each for each in ElementTree.fromstring(drawing).iter() if each.get("class") == "dot main"]
    assert len(dots) == 2
    (first, second) = ((float(each.get("cx") or 0), float(each.get("cy") or 0)) for each in dots)
    assert first[0] < second[0]
    assert first[1] > second[1]


def oklab(colour: str) -> list[float]:
    """#rrggbb in Oklab (Ottosson 2020), in which the style sheet mixes."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return [
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    ]


def luminance_of(lightness: float, a: float, b: float) -> float:
    """WCAG's relative luminance of an Oklab colour."""
    long, middle, short = (
        (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark", "print"])
@pytest.mark.parametrize(("tint", "light"), [("accent", "on-accent"), ("bad", "on-bad")])
def test_counts_can_be_read_on_every_shade_of_the_matrix(scheme: dict[str, str], tint: str, light: str) -> None:
    ground, colour = oklab(scheme["wash"]), oklab(scheme[tint])
    for step in range(101):
        heat = step / 100
        share = html.shade(heat) / 100
        behind = luminance_of(*(share * c + (1 - share) * g for c, g in zip(colour, ground, strict=True)))
        words = luminance(scheme[light if heat > html.DEEP else "ink"])
        lighter, darker = max(behind, words), min(behind, words)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, heat


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark", "print"])
def test_lines_of_several_runs_stand_out_from_the_page(scheme: dict[str, str]) -> None:
    for name in ("accent", "bad", "good", "violet", "ochre", "ink", "side"):
        assert contrast(scheme[name], scheme["paper"]) >= 3  # WCAG 2, graphics


def test_no_validation_leaves_the_curve_out_and_says_why() -> None:
    note = "There was no validation split, so best is the last state."
    of = report(["cat", "dog"], scores={}, loss={}, history=[], best_step=None, notes=[note])
    page = Read(html.render(of))
    assert note in page.text
    assert "Nothing was evaluated." in page.text
    assert "Learning curve" not in page.text
