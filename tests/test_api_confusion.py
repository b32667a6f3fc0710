"""The picture of a confusion matrix."""

from __future__ import annotations

from xml.etree import ElementTree

from api.confusion import CLASSES_MOST, confusion_svg

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_counts_and_labels_are_drawn() -> None:
    drawn = texts(confusion_svg(["cat", "dog"], [[7, 1], [0, 9]], title="pets"))
    assert drawn[0] == "pets"
    assert drawn.count("cat") == drawn.count("dog") == 2
    assert {"7", "1", "9"} < set(drawn) and "0" not in drawn


def test_labels_are_escaped_and_nothing_can_run() -> None:
    evil = "<script>alert(1)</script>&\"'"
    svg = confusion_svg([evil, "]]>"], [[1, 1], [1, 1]], title=evil)
    tree = ElementTree.fromstring(svg)
    names = {element.tag.removeprefix(SVG) for element in tree.iter()}
    assert names == {"svg", "title", "rect", "text", "g", "path"}
    attributes = {name for element in tree.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name or name == "style"]


def test_same_figures_give_the_same_picture() -> None:
    drawn = {confusion_svg(["a", "b"], [[3, 1], [2, 2]], title="t") for _ in range(3)}
    assert len(drawn) == 1


def test_shade_is_the_share_of_the_row() -> None:
    svg = confusion_svg(["a", "b"], [[1, 0], [0, 1000]], title="t")
    cells = [rect.get("fill") for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect")][2:]
    assert len(set(cells)) == 1 and len(cells) == 2


def test_of_many_classes_those_confused_most_are_drawn() -> None:
    n = CLASSES_MOST + 20
    counts = [[4 if row == column else 0 for column in range(n)] for row in range(n)]
    counts[n - 1][n - 2] = 3
    drawn = texts(confusion_svg([f"class {k}" for k in range(n)], counts, title="t", classes=500))
    assert f"Of 500 classes the {CLASSES_MOST} most confused are drawn." in drawn
    assert {f"class {n - 1}", f"class {n - 2}", "class 0"} < set(drawn) and "class 70" not in drawn


def test_empty_matrix_says_there_is_nothing_to_draw() -> None:
    assert "There is nothing to judge yet." in texts(confusion_svg([], [], title="t"))


def test_long_label_is_cut_in_its_middle_and_complete_in_the_tooltip() -> None:
    label = "left front wheel of the cart " * 2 + "7"
    svg = confusion_svg([label], [[1]], title="t")
    [name, _] = [text for text in texts(svg) if "…" in text]
    assert len(name) == 24 and name.endswith("7")
    assert f"<title>{label}</title>" in svg
