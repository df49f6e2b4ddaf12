"""A writer of small ncnn models, by the documentation of the format alone."""

import struct

import numpy as np

from srkit.adapters.readers.ncnn.network import understand

HALVES, FLOATS = 0x01306B47, 0x0002C056


def floats(numbers):
    """Bare numbers, as biases and slopes are stored."""
    return np.asarray(numbers, "<f4").tobytes()


def tagged(numbers, tag=FLOATS):
    """Weights behind a tag; halves are padded to four bytes."""
    kind = "<f2" if tag == HALVES else "<f4"
    data = np.asarray(numbers, kind).tobytes()
    return struct.pack("<I", tag) + data + bytes(-len(data) % 4)


class Pair:
    """Lines of a .param file and the bytes of its .bin file; the image is the blob ``in``."""

    def __init__(self, keys="", image="in"):
        self.lines, self.data, self.blobs = [], b"", 0
        self.add("Input", "", image, keys)

    def add(self, kind, given, made, keys="", data=b""):
        """Add a layer; `given` and `made` are names with spaces between."""
        inputs, outputs = given.split(), made.split()
        head = f"{kind} l{len(self.lines)} {len(inputs)} {len(outputs)}"
        self.lines.append(" ".join([head, *inputs, *outputs, *([keys] if keys else [])]))
        self.data += data
        self.blobs += len(outputs)
        return self

    def conv(self, given, made, weight, bias=None, keys="", *, tag=FLOATS, kind="Convolution"):
        """Add a convolution of a weight (outputs, inputs, rows, columns); `keys` have the rest."""
        outputs, _, rows, columns = weight.shape
        stated = f"0={outputs} 1={columns} 11={rows} 6={weight.size} 5={int(bias is not None)}"
        data = tagged(weight, tag) + (b"" if bias is None else floats(bias))
        return self.add(kind, given, made, f"{stated} {keys}".strip(), data)

    @property
    def text(self):
        return "\n".join(["7767517", f"{len(self.lines)} {self.blobs}", *self.lines, ""]).encode()

    def save(self, folder, name="net"):
        """Write both files; gives the path of the .param file."""
        path = folder / f"{name}.param"
        path.write_bytes(self.text)
        path.with_suffix(".bin").write_bytes(self.data)
        return path


def normal(*shape, seed=0):
    """Weights that keep numbers about as large as they are."""
    numbers = np.random.default_rng(seed).standard_normal(shape)
    return (numbers / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


def compact(scale=2, features=8, tag=HALVES):
    """Real-ESRGAN's small network, with two convolutions between the first and the last."""
    pair = Pair().add("Split", "in", "a b")
    given = "a"
    for number, inputs in enumerate((3, features, features)):
        weight = normal(features, inputs, 3, 3, seed=number)
        pair.conv(given, f"c{number}", weight, normal(features, seed=9), "4=1", tag=tag)
        slopes = np.linspace(-0.5, 0.5, features)
        pair.add("PReLU", f"c{number}", f"p{number}", f"0={features}", floats(slopes))
        given = f"p{number}"
    weight = normal(3 * scale**2, features, 3, 3, seed=8)
    pair.conv(given, "last", weight, None, "4=1", tag=tag)
    pair.add("PixelShuffle", "last", "large", f"0={scale}")
    pair.add("Interp", "b", "near", f"0=1 1={scale}.0 2={scale}.0")
    return pair.add("BinaryOp", "large near", "out", "0=0")


def shrinking(up, down, kind=3):
    """A network that enlarges `up` times and shrinks `down` times inside, as animevideov3-x2."""
    pair = Pair().conv("in", "c", normal(3 * up**2, 3, 3, 3) / 4, None, "4=1")
    pair.add("PixelShuffle", "c", "large", f"0={up}")
    return pair.add("Interp", "large", "out", f"0={kind} 1={1 / down:.6e} 2={1 / down:.6e}")


def all_layers():
    """A network with one of each kind of layer that changes something."""
    pair = Pair("0=0 1=0 2=3").add("Split", "in", "a b c")
    pair.conv("a", "c1", normal(4, 3, 3, 3), normal(4), "4=1 9=2 -23310=1,0.1")
    depthwise = "4=1 7=4 9=1"
    pair.conv("c1", "c2", normal(4, 1, 3, 3), None, depthwise, kind="ConvolutionDepthWise")
    pair.add("Split", "c2", "d e f f2").add("Pooling", "d", "mean", "0=1 4=1")
    pair.add(
        "InnerProduct", "mean", "g", "0=4 1=1 2=16 9=4", tagged(normal(4, 4)) + floats([0] * 4)
    )
    pair.add("Scale", "e g", "h", "0=-233").add("Scale", "h", "i", "0=4", floats([1, 2, 3, 4]))
    pair.add("Padding", "i", "j", "0=1 1=1 2=1 3=1 4=1")
    pair.add("Crop", "j f", "k", "0=1 1=1").add("Eltwise", "k f2", "l", "0=1 -23301=2,0.2,1.0")
    pair.add("MemoryData", "", "m", "0=1 1=1 2=4", floats([1, 2, 3, 4]))
    pair.add("BinaryOp", "l m", "n", "0=2").add("Swish", "n", "o").add("UnaryOp", "o", "p", "0=4")
    pair.add("Deconvolution", "p", "q", "0=3 1=4 3=2 4=1 6=192", tagged(normal(3, 4, 4, 4)))
    pair.add("Interp", "b", "r", "0=2 1=2.0 2=2.0").add("Concat", "q r", "s")
    pair.add("Crop", "s", "t", "-23309=1,0 -23310=1,3 -23311=1,0").add("Sigmoid", "t", "u")
    pair.add("Interp", "c", "v", "0=1 1=2.0 2=2.0").add("BinaryOp", "u v", "w", "0=4")
    return pair.add("ReLU", "w", "out", "0=0.1")


def judged(pair):
    return understand(pair.text, pair.data)


WORDS = (
    b"0", b"-1", b"64", b"-233", b"2147483647", b"1e30", b"nan", b"2.0", b"a", b"in", b"out",
    b"0=7", b"9=2", b"-23310=1,0.5", b"Crop", b"Pooling", b"Scale", b"MemoryData", b"\x1b", b"\xff",
    b"1=0",
)  # fmt: skip


def mutated(text, data, chance):
    """The pair with some words, bytes or lines changed."""
    words = text.split(b" ")
    for _ in range(chance.randint(1, 3)):
        match chance.randint(0, 5):
            case 0:
                words[chance.randrange(len(words))] = chance.choice(WORDS)
            case 1:
                words.pop(chance.randrange(len(words)))
            case 2:
                words.insert(chance.randrange(len(words)), chance.choice(WORDS))
            case 3:
                position = chance.randrange(len(words))
                if words[position]:
                    word = bytearray(words[position])
                    word[chance.randrange(len(word))] = chance.randrange(256)
                    words[position] = bytes(word)
            case 4:
                position = chance.randrange(len(data))
                data = data[:position] + chance.randbytes(1) + data[position + 1 :]
            case 5:
                data = data[: chance.randrange(len(data))]
    return b" ".join(words), data


def one(kind, keys="", data=b""):
    """A network of one layer."""
    return Pair().add(kind, "in", "out", keys, data)
