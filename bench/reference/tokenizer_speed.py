"""Run by bench/tokenizer.c: PYTHON tokenizer_speed.py MODEL.gguf TEXTS RUNS prints version, tokens and the median of the
processor time that tokenizers takes for them, on one thread. TEXTS: a length (32 bits) and the bytes of each."""
import os
import statistics
import struct
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def read_vocabulary(path):
    """tokenizer.ggml.tokens and lowercase of a GGUF."""
    with open(path, "rb") as f:
        number = lambda form: struct.unpack("<" + form, f.read(struct.calcsize("<" + form)))[0]
        string = lambda: f.read(number("Q"))

        def value(kind):
            if kind == 8:
                return string()
            if kind == 9:
                item, n = number("I"), number("Q")
                return [value(item) for _ in range(n)]
            return f.read(SIZES[kind])

        f.read(8)
        _, n = number("Q"), number("Q")
        entries = {}
        for _ in range(n):
            key = string().decode()
            entries[key] = value(number("I"))
    tokens, types = entries["tokenizer.ggml.tokens"], entries["tokenizer.ggml.token_type"]
    lower = entries.get("tokenizer.ggml.normalizer.lowercase", b"\1") != b"\0"
    vocabulary = {}
    for i, (token, kind) in enumerate(zip(tokens, types)):
        token, control = token.decode(), int.from_bytes(kind, "little") == 3
        vocabulary[token if control else token[1:] if len(token) > 1 and token[0] == "\u2581" else "##" + token] = i
    return vocabulary, lower


def main():
    model, path, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    vocabulary, lower = read_vocabulary(model)
    t = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lower)
    t.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    with open(path, "rb") as f:
        data = f.read()
    texts, at = [], 0
    while at < len(data):
        (n,) = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4 : at + 4 + n].decode(errors="replace"))
        at += 4 + n
    took, tokens = [], 0
    for _ in range(runs):
        start, tokens = time.process_time(), 0
        for i in range(0, len(texts), 1000):
            tokens += sum(len(e) for e in t.encode_batch_fast(texts[i : i + 1000], add_special_tokens=False))
        took.append(time.process_time() - start)
    print(tokenizers.__version__, tokens, statistics.median(took))


main()
