"""What Hugging Face's `tokenizers` does to each character before WordPiece, as C tables.

    "$(tools/reference-python)" tools/wordpiece_tables.py >src/embed/wordpiece_tables.c

The package is asked, character by character, instead of a Unicode database, since it mixes three: its general categories
are those of Unicode 8, its decompositions those of Unicode 9, and lower case is that of the Rust it was built with, here
Unicode 17. Models were made with what it does, so that is what counts. tests/full/test_wordpiece_reference.c compares with
the package again, in context.
"""
import tokenizers
from tokenizers.normalizers import BertNormalizer, NFD
from tokenizers.pre_tokenizers import BertPreTokenizer

LOW_MARK, HIGH_MARK = "\u1baa", "\U0001d165"  # combining classes 9 and 216; neither is removed with the accents
HANGUL = range(0xAC00, 0xD7A4)
ALL = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]


def normalizer(**what):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return BertNormalizer(**{**off, **what}).normalize_str


clean, chinese, strip, lower = (normalizer(**{key: True}) for key in ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"))
both, decompose = normalizer(strip_accents=True, lowercase=True), NFD().normalize_str
words = BertPreTokenizer().pre_tokenize_str


def between(f, c):
    """What becomes of a character that stands between two letters."""
    text = f("a" + chr(c) + "b")
    assert text[0] == "a" and text[-1] == "b", hex(c)
    return text[1:-1]


def ranges(chosen):
    out = []
    for c in chosen:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def steps(pairs):
    """{first, last, step, to of the first}: runs in which every or every second character goes to one as far away."""
    out = []
    for c, to in pairs:
        if out:
            first, last, step, first_to = out[-1]
            gap = c - last
            if to - c == first_to - first and gap <= 2 and step in (0, gap):
                out[-1] = [first, c, gap, first_to]
                continue
        out.append([c, c, 0, to])
    return [[first, last, max(step, 1), to] for first, last, step, to in out]


def combining_class(c):
    """By which known classes it stays behind, and which it goes before."""
    known = {k: chr(m) for m, k in CLASSES.items()}
    found = [k for k in known if all((decompose("a" + known[j] + chr(c)) != "a" + known[j] + chr(c)) == (j > k) for j in known)]
    assert len(found) == 1, hex(c)
    return found[0]


CLASSES = {0x334: 1, 0x94D: 9, 0x93C: 7, 0x302A: 218, 0x31B: 216, 0x327: 202, 0x302E: 224, 0x1D16D: 226, 0x316: 220, 0x300: 230, 0x345: 240}


def put(kind, name, rows, width):
    print(f"\nconst {kind} wordpiece_{name}[] = {{")
    line = "   "
    for row in rows:
        item = ", ".join(f"{v:#x}" for v in row)
        item = f" {item}," if kind == "uint32_t" else f" {{{item}}},"
        if len(line) + len(item) > width:
            print(line)
            line = "   "
        line += item
    print(line)
    print(f"}};\nconst size_t wordpiece_n_{name} = sizeof wordpiece_{name} / sizeof *wordpiece_{name};")


def main():
    dropped = [c for c in ALL if between(clean, c) == ""]
    space = [c for c in ALL if between(clean, c) == " "]
    gone = set(dropped) | set(space)
    kept = [c for c in ALL if c not in gone]
    assert all(between(clean, c) == chr(c) for c in kept)
    han = [c for c in kept if between(chinese, c) != chr(c)]
    assert all(between(chinese, c) == f" {chr(c)} " for c in han)

    pieces = {c: [w for w, _ in words("a" + chr(c) + "b")] for c in kept}
    punctuation = [c for c in kept if pieces[c] == ["a", chr(c), "b"]]
    assert all(c in set(punctuation) or pieces[c] == ["a" + chr(c) + "b"] for c in kept)

    stripped = {c: between(strip, c) for c in kept if between(strip, c) != chr(c)}
    lowered = {c: lower(chr(c)) for c in kept if lower(chr(c)) != chr(c)}
    for c in kept:
        assert both(chr(c)) == "".join(lower(x) for x in between(strip, c))  # one after the other, character by character
        assert max(len(lower(chr(c))), len(between(strip, c))) <= len(chr(c).encode())  # never more characters than there were bytes
        out = between(strip, c)
        if c in HANGUL:
            i = c - 0xAC00
            assert out == chr(0x1100 + i // 588) + chr(0x1161 + i % 588 // 28) + (chr(0x11A7 + i % 28) if i % 28 else "")
        else:
            assert len(out) <= 3
        special = [x for x in out if len(words("a" + x + "b")) > 1]
        assert not special or len(out) == 1  # what becomes a mark of punctuation becomes nothing else besides
    assert {c: to for c, to in lowered.items() if len(to) > 1} == {0x130: "i\u0307"}

    # What is removed with the accents, and of that what ends a run of marks that canonical ordering sorts.
    marks = [c for c, to in stripped.items() if to == ""]
    swapped = strip("a" + LOW_MARK + HIGH_MARK)
    assert strip("a" + HIGH_MARK + LOW_MARK) == swapped
    starters = [c for c in marks if strip("a" + HIGH_MARK + chr(c) + LOW_MARK) != swapped]
    sorted_ = [c for c in kept if c not in stripped and c not in HANGUL and strip("a" + HIGH_MARK + chr(c) + LOW_MARK) != "a" + HIGH_MARK + chr(c) + LOW_MARK]
    classes = []
    for c in sorted_:
        k = combining_class(c)
        if classes and classes[-1][1] == c - 1 and classes[-1][2] == k:
            classes[-1][1] = c
        else:
            classes.append([c, c, k])

    print(f"/* Made by tools/wordpiece_tables.py from tokenizers {tokenizers.__version__}; embed/wordpiece.h says what each table is. */")
    print('#include "embed/wordpiece.h"')
    put("struct wordpiece_range", "dropped", ranges(dropped), 125)
    put("struct wordpiece_range", "space", ranges(space), 125)
    put("struct wordpiece_range", "punctuation", ranges(punctuation), 125)
    put("struct wordpiece_range", "han", ranges(han), 125)
    put("struct wordpiece_range", "marks", ranges(marks), 125)
    put("struct wordpiece_range", "starter_marks", ranges(starters), 125)
    put("struct wordpiece_class", "classes", classes, 125)
    ones = [(c, ord(to)) for c, to in stripped.items() if len(to) == 1]
    more = [(c, *map(ord, to.ljust(3, "\0"))) for c, to in stripped.items() if len(to) > 1 and c not in HANGUL]
    put("uint32_t", "strip", ones, 125)
    put("uint32_t", "strip_more", more, 125)
    put("struct wordpiece_steps", "lower", steps([(c, ord(to[0])) for c, to in lowered.items()]), 125)


main()
