"""``srkit cite``: BibTeX of srkit, and of the papers behind its models."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping

from srkit.cli.console import Commands, examples, write
from srkit.models import loading
from srkit.version import __version__

Entry = tuple[str, str, Mapping[str, str]]  # kind, key and fields

SRKIT: Entry = (
    "misc",
    "srkit",
    {
        "author": "{The srkit authors}",
        "title": "srkit: image and video super-resolution with any model",
        "year": "2026",
        "version": __version__,
        "note": f"Version {__version__}",
    },
)
# By what stands behind "arXiv:" on a card.
PAPERS: dict[str, Entry] = {
    "1609.04802": (
        "inproceedings",
        "ledig2017photo",
        {
            "author": "Ledig, Christian and Theis, Lucas and Husz{\\'a}r, Ferenc and Caballero, "
            "Jose and Cunningham, Andrew and Acosta, Alejandro and Aitken, Andrew and Tejani, "
            "Alykhan and Totz, Johannes and Wang, Zehan and Shi, Wenzhe",
            "title": "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial "
            "Network",
            "booktitle": "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "year": "2017",
        },
    ),
    "1609.05158": (
        "inproceedings",
        "shi2016real",
        {
            "author": "Shi, Wenzhe and Caballero, Jose and Husz{\\'a}r, Ferenc and Totz, Johannes "
            "and Aitken, Andrew P. and Bishop, Rob and Rueckert, Daniel and Wang, Zehan",
            "title": "Real-Time Single Image and Video Super-Resolution Using an Efficient "
            "Sub-Pixel Convolutional Neural Network",
            "booktitle": "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "year": "2016",
        },
    ),
    "1608.00367": (
        "inproceedings",
        "dong2016accelerating",
        {
            "author": "Dong, Chao and Loy, Chen Change and Tang, Xiaoou",
            "title": "Accelerating the Super-Resolution Convolutional Neural Network",
            "booktitle": "European Conference on Computer Vision (ECCV)",
            "year": "2016",
        },
    ),
    "2107.10833": (
        "inproceedings",
        "wang2021realesrgan",
        {
            "author": "Wang, Xintao and Xie, Liangbin and Dong, Chao and Shan, Ying",
            "title": "{Real-ESRGAN}: Training Real-World Blind Super-Resolution with Pure "
            "Synthetic Data",
            "booktitle": "IEEE/CVF International Conference on Computer Vision Workshops (ICCVW)",
            "year": "2021",
        },
    ),
    "2311.12770": (
        "inproceedings",
        "wan2024swift",
        {
            "author": "Wan, Cheng and Yu, Hongyuan and Li, Zhiqi and Chen, Yihang and Zou, Yajun "
            "and Liu, Yuqing and Yin, Xuanwu and Zuo, Kunlong",
            "title": "Swift Parameter-free Attention Network for Efficient Super-Resolution",
            "booktitle": "IEEE/CVF Conference on Computer Vision and Pattern Recognition "
            "Workshops (CVPRW)",
            "year": "2024",
        },
    ),
    "1907.01399": (
        "article",
        "lopeztapia2020single",
        {
            "author": "L{\\'o}pez-Tapia, Santiago and Lucas, Alice and Molina, Rafael and "
            "Katsaggelos, Aggelos K.",
            "title": "A Single Video Super-Resolution {GAN} for Multiple Downsampling Operators "
            "based on Pseudo-Inverse Image Formation Models",
            "journal": "Digital Signal Processing",
            "year": "2020",
        },
    ),
}


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "cite",
        help="BibTeX of srkit, and of a model's paper",
        description="Write BibTeX of srkit, and of the papers behind the models that are named.",
        **examples("srkit cite srgan espcn > papers.bib"),
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="name of a model")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write an entry for srkit, and one for each paper."""
    entries = {SRKIT[1]: SRKIT}
    for name in args.models:
        paper = loading.card(name).paper
        if not paper:
            write(f"srkit: note: the card of {name} names no paper", sys.stderr)
            continue
        entry = _entry(name, paper)
        entries[entry[1]] = entry
    write("\n\n".join(map(bibtex, entries.values())))
    return 0


def _entry(name: str, paper: str) -> Entry:
    """The paper of a model: in full where it is known here, else as the card names it."""
    number = re.search(r"arXiv:(\d{4}\.\d{4,5})", paper)
    if number is None or number[1] not in PAPERS:
        return "misc", name, {"title": f"{{The super-resolution model {name}}}", "note": paper}
    kind, key, fields = PAPERS[number[1]]
    return kind, key, {**fields, "eprint": number[1], "archiveprefix": "arXiv"}


def bibtex(entry: Entry) -> str:
    """An entry as files of BibTeX have it.

    Examples
    --------
    >>> print(bibtex(("misc", "a", {"title": "A", "year": "2026"})))
    @misc{a,
      title = {A},
      year = {2026},
    }
    """
    kind, key, fields = entry
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
