"""The papers behind models and metrics, as entries of BibTeX."""

from __future__ import annotations

from collections.abc import Mapping

Entry = tuple[str, str, Mapping[str, str]]  # kind, key and fields

# Papers of the networks that weights of srkit have learned from, by what is below.
TEACHERS = {
    **dict.fromkeys(("photo", "span", "srgan", "srresnet"), ("2409.13435",)),
    **dict.fromkeys(("espcn", "fsrcnn"), ("2308.03364", "2409.13435")),
}

# By what stands behind "arXiv:" on a card.
PAPERS: dict[str, Entry] = {
    "2308.03364": (
        "inproceedings",
        "chen2023dual",
        {
            "author": "Chen, Zheng and Zhang, Yulun and Gu, Jinjin and Kong, Linghe and Yang, "
            "Xiaokang and Yu, Fisher",
            "title": "Dual Aggregation Transformer for Image Super-Resolution",
            "booktitle": "IEEE/CVF International Conference on Computer Vision (ICCV)",
            "year": "2023",
        },
    ),
    "2409.13435": (
        "inproceedings",
        "wang2024plainusr",
        {
            "author": "Wang, Yan and Li, Yusen and Wang, Gang and Liu, Xiaoguang",
            "title": "{PlainUSR}: Chasing Faster {ConvNet} for Efficient Super-Resolution",
            "booktitle": "Asian Conference on Computer Vision (ACCV)",
            "year": "2024",
        },
    ),
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

# Without a number of arXiv: by what cards say.
OLDER: dict[str, Entry] = {
    "Keys, Cubic convolution interpolation for digital image processing, 1981": (
        "article",
        "keys1981cubic",
        {
            "author": "Keys, Robert G.",
            "title": "Cubic Convolution Interpolation for Digital Image Processing",
            "journal": "IEEE Transactions on Acoustics, Speech, and Signal Processing",
            "volume": "29",
            "number": "6",
            "pages": "1153--1160",
            "year": "1981",
        },
    ),
    "Duchon, Lanczos filtering in one and two dimensions, 1979": (
        "article",
        "duchon1979lanczos",
        {
            "author": "Duchon, Claude E.",
            "title": "Lanczos Filtering in One and Two Dimensions",
            "journal": "Journal of Applied Meteorology",
            "volume": "18",
            "number": "8",
            "pages": "1016--1022",
            "year": "1979",
        },
    ),
    "Champandard, github.com/alexjc/neural-enhance, 2016": (
        "misc",
        "champandard2016neural",
        {
            "author": "Champandard, Alex J.",
            "title": "Neural Enhance: Super Resolution for images using deep learning",
            "howpublished": "\\url{https://github.com/alexjc/neural-enhance}",
            "year": "2016",
        },
    ),
    "Howard and others, fastai 1.0, lesson 7, 2019": (
        "misc",
        "howard2019fastai",
        {
            "author": "Howard, Jeremy and others",
            "title": "fastai 1.0, Practical Deep Learning for Coders, lesson 7",
            "howpublished": "\\url{https://course19.fast.ai}",
            "year": "2019",
        },
    ),
}

_TIP = "IEEE Transactions on Image Processing"
METRICS: dict[str, Entry] = {
    "ssim": (
        "article",
        "wang2004image",
        {
            "author": "Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.",
            "title": "Image Quality Assessment: From Error Visibility to Structural Similarity",
            "journal": _TIP,
            "year": "2004",
        },
    ),
    "ms_ssim": (
        "inproceedings",
        "wang2003multiscale",
        {
            "author": "Wang, Zhou and Simoncelli, Eero P. and Bovik, Alan C.",
            "title": "Multi-scale Structural Similarity for Image Quality Assessment",
            "booktitle": "Asilomar Conference on Signals, Systems and Computers",
            "year": "2003",
        },
    ),
    "st_lpips": (
        "inproceedings",
        "ghildyal2022shift",
        {
            "author": "Ghildyal, Abhijay and Liu, Feng",
            "title": "Shift-tolerant Perceptual Similarity Metric",
            "booktitle": "European Conference on Computer Vision (ECCV)",
            "year": "2022",
        },
    ),
    "lpips": (
        "inproceedings",
        "zhang2018unreasonable",
        {
            "author": "Zhang, Richard and Isola, Phillip and Efros, Alexei A. and Shechtman, Eli "
            "and Wang, Oliver",
            "title": "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
            "booktitle": "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "year": "2018",
        },
    ),
    "dists": (
        "article",
        "ding2022image",
        {
            "author": "Ding, Keyan and Ma, Kede and Wang, Shiqi and Simoncelli, Eero P.",
            "title": "Image Quality Assessment: Unifying Structure and Texture Similarity",
            "journal": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
            "year": "2022",
        },
    ),
    "niqe": (
        "article",
        "mittal2013making",
        {
            "author": "Mittal, Anish and Soundararajan, Rajiv and Bovik, Alan C.",
            "title": 'Making a "Completely Blind" Image Quality Analyzer',
            "journal": "IEEE Signal Processing Letters",
            "year": "2013",
        },
    ),
    "brisque": (
        "article",
        "mittal2012no",
        {
            "author": "Mittal, Anish and Moorthy, Anush Krishna and Bovik, Alan Conrad",
            "title": "No-Reference Image Quality Assessment in the Spatial Domain",
            "journal": _TIP,
            "year": "2012",
        },
    ),
}
