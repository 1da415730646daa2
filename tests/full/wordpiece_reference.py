"""The other side of tests/full/test_wordpiece_reference.c: the ids that Hugging Face's `tokenizers` gives, over a pipe.
Numbers are unsigned, 32 bits, of this machine.

in:  lower, strip (2: unsaid), tokens; then each token: type, length, bytes as the GGUF has them
in:  texts, bytes that follow, 1 if spans are wanted; the texts' lengths, then their bytes; again, until texts is 0
out: for all texts how many ids each has, then the ids, then start and end of each if wanted, in bytes; 0 for texts that
     are not valid UTF-8

No token is added to the tokenizer, so that "[SEP]" in a text is text; with the publisher's tokenizer.json that is
`encode_special_tokens = True`. Invalid bytes are decoded to U+FFFD.
"""
import array
import sys

import tokenizers

CONTROL, UNUSED, WORD = 3, 5, "\u2581"


def numbers(n):
    data = sys.stdin.buffer.read(4 * n)
    if len(data) != 4 * n:
        sys.exit("the other side ended early")
    return array.array("I", data)


def tokenizer():
    lower, strip, n = numbers(3)
    vocabulary = {}
    for i in range(n):
        kind, size = numbers(2)
        token = sys.stdin.buffer.read(size).decode()
        if kind == CONTROL:
            vocabulary[token] = i
        elif kind != UNUSED:
            vocabulary[token[1:] if len(token) > 1 and token[0] == WORD else "##" + token] = i
    t = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=bool(lower), strip_accents=None if strip == 2 else bool(strip))
    t.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return t


def spans(text, raw, offsets):
    if text.isascii():
        return [x for pair in offsets for x in pair]
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [at[x] for pair in offsets for x in pair] if at[-1] == len(raw) and "\ufffd" not in text else [0] * (2 * len(offsets))


def main():
    t = tokenizer()
    while True:
        (n,) = numbers(1)
        if n == 0:
            return
        size, with_spans = numbers(2)
        lengths = numbers(n)
        data = sys.stdin.buffer.read(size)
        raws, at = [], 0
        for length in lengths:
            raws.append(data[at : at + length])
            at += length
        texts = [raw.decode(errors="replace") for raw in raws]
        done = (t.encode_batch if with_spans else t.encode_batch_fast)(texts, add_special_tokens=False)
        counts, ids, places = array.array("I"), array.array("I"), array.array("I")
        for text, raw, e in zip(texts, raws, done):
            counts.append(len(e.ids))
            ids.extend(e.ids)
            if with_spans:
                places.extend(spans(text, raw, e.offsets))
        sys.stdout.buffer.write(counts.tobytes() + ids.tobytes() + places.tobytes())
        sys.stdout.buffer.flush()


main()
