"""What a page says of its blocks is understood, and what is no mark is told."""

import pytest
from page_blocks import blocks


def on_a_page(folder, text):
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return list(blocks(page))


def test_blocks_of_code_are_found_and_no_others(tmp_path):
    text = "a\n\n```python\nx = 1\n```\n\n- b\n\n  ```sh\n  ls\n  ```\n\n```text\nno\n```\n"
    found = on_a_page(tmp_path, text)
    assert [(block.language, block.text) for block in found] == [
        ("python", "x = 1\n"),
        ("sh", "ls\n"),
    ]
    assert [int(block.place.rpartition(":")[2]) for block in found] == [3, 9]
    assert not any(block.faults or block.reasons or block.lines_left_out for block in found)


def test_of_a_console_what_is_typed_is_run(tmp_path):
    (block,) = on_a_page(tmp_path, "```console\n$ ls -a\n.  ..\n$ pwd\n/home\n```\n")
    assert block.text == "ls -a\npwd\n"


def test_a_mark_leaves_out_a_block_or_the_lines_that_it_names(tmp_path):
    text = (
        "<!-- not run: needs a GPU -->\n```python\na\nb\n```\n"
        "<!-- not run (pip): needs the network -->\n<!-- not run (b c): takes minutes -->\n"
        "```sh\npip install x\na\nb c\n```\n"
    )
    whole, part = on_a_page(tmp_path, text)
    assert (whole.text, whole.reasons, whole.lines_left_out) == ("", ("needs a GPU",), 2)
    assert (part.text, part.lines_left_out) == ("a\n", 2)
    assert part.reasons == ("needs the network", "takes minutes")
    assert not whole.faults
    assert not part.faults


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("<!-- not run: it is Monday -->", "'it is Monday' is no reason"),
        ("<!-- not run -->", "is not <!-- not run: REASON -->"),
        ("<!-- not run (pip): needs a GPU -->", "no line has 'pip'"),
    ],
)
def test_what_is_no_mark_is_told(tmp_path, mark, told):
    (block,) = on_a_page(tmp_path, f"{mark}\n```sh\nls\n```\n")
    (fault,) = block.faults
    assert told in fault


def test_a_mark_that_stands_apart_marks_nothing(tmp_path):
    (block,) = on_a_page(tmp_path, "<!-- not run: needs a GPU -->\n\n```sh\nls\n```\n")
    assert (block.text, block.reasons) == ("ls\n", ())
