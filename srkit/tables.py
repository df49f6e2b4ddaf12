"""Plain tables for terminals, Markdown, LaTeX and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Rows = Sequence[Sequence[str]]

_LATEX = {
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def text_table(rows: Rows, align: str) -> str:
    """Columns padded to one width.

    Parameters
    ----------
    rows
        Cells; the first row is the heading.
    align
        ``l`` or ``r`` for each column.

    Examples
    --------
    >>> print(text_table([["image", "PSNR"], ["baby", "31.8"], ["bird", "9.0"]], "lr"))
    image  PSNR
    baby   31.8
    bird    9.0
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, align, strict=True)
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def markdown_table(rows: Rows, align: str) -> str:
    r"""The same cells as a Markdown table.

    Examples
    --------
    >>> print(markdown_table([["image", "PSNR"], ["a|b", "31.8"]], "lr"))
    | image | PSNR |
    |---|---:|
    | a\|b | 31.8 |
    """
    heading, *body = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    )
    rule = "|" + "|".join("---:" if side == "r" else "---" for side in align) + "|"
    return "\n".join([heading, rule, *body])


def latex_table(rows: Rows, align: str) -> str:
    r"""The same cells as a tabular of LaTeX, without any package.

    Examples
    --------
    >>> print(latex_table([["image", "PSNR"], ["a_b", "31.8"]], "lr"))
    \begin{tabular}{lr}
    \hline
    image & PSNR \\
    \hline
    a\_b & 31.8 \\
    \hline
    \end{tabular}
    """
    heading, *body = (" & ".join(map(_latex, row)) + r" \\" for row in rows)
    lines = [rf"\begin{{tabular}}{{{align}}}", r"\hline", heading, r"\hline", *body, r"\hline"]
    return "\n".join([*lines, r"\end{tabular}"])


def _latex(cell: str) -> str:
    """A text whose every character means itself."""
    return "".join(_LATEX.get(character, character) for character in cell)


def html_table(rows: Rows) -> str:
    """The same cells as an HTML table, for a notebook's output.

    Examples
    --------
    >>> print(html_table([["image"], ["a<b"]]))
    <table>
    <tr><th style="text-align: left">image</th></tr>
    <tr><td style="text-align: left">a&lt;b</td></tr>
    </table>
    """
    heading, *body = rows
    lines = [_html_row(heading, "th"), *(_html_row(row, "td") for row in body)]
    return "\n".join(["<table>", *lines, "</table>"])


def _html_row(row: Sequence[str], tag: str) -> str:
    # Of each cell, since Jupyter's own style of cells is to the right.
    style = 'style="text-align: left"'
    cells = "".join(f"<{tag} {style}>{escape(cell)}</{tag}>" for cell in row)
    return f"<tr>{cells}</tr>"
