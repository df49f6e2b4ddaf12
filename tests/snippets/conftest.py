"""What is told at the end: how much of the pages was run."""

from collections import Counter

from page_blocks import PAGES, blocks


def pytest_terminal_summary(terminalreporter):
    found = [block for page in PAGES for block in blocks(page)]
    shown = [block for block in found if block.file]
    whole = [block for block in found if block.reasons and not block.text]
    lines = sum(block.lines_left_out for block in found if block.text)
    terminalreporter.section("snippets")
    terminalreporter.write_line(
        f"{len(found)} blocks on {len(PAGES)} pages: {len(found) - len(whole) - len(shown)} run, "
        f"{len(shown)} are files with tests of their own, {len(whole)} not run, and {lines} lines "
        "of others; why:"
    )
    for reason, count in Counter(
        reason for block in found for reason in block.reasons
    ).most_common():
        terminalreporter.write_line(f"{count:4} {reason}")
