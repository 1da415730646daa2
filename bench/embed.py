"""Run by bench/embed. Each peer is a process of its own (embed.py --peer NAME), so that memory and threads are its own; it is loaded once and warm. Quaere and llama.cpp are
`quaere bench embed`, which loads and warms up each time and does not count that. A round runs all of them one after the other, so that a busy machine is busy for all. Texts are those
that fit the model's limit, since peers cut what is longer and Quaere embeds all of it. A peer may choose its batches: the size that is fastest in the warm-up is taken."""
import importlib.metadata
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

SEED = 2023
QUESTION = "How can I change the time limit of jobs?"  # as in src/core/bench.c
SECONDS = 3
QUAERE = ["quaere-int8", "quaere-bf16", "quaere-f32"]
PEERS = ["llama.cpp", "sentence-transformers", "onnx-f32", "onnx-int8"]


# ---- Peers: each gives encode(texts, batch) -> unit vectors ----

def versions(*names):
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def load_sentence_transformers(folder, threads, scratch):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(threads)
    model = SentenceTransformer(folder, device="cpu")

    def encode(texts, batch):
        return model.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)
    return encode, versions("sentence-transformers", "torch", "transformers") + "; set_num_threads"


def load_onnx(folder, threads, scratch, name):
    import numpy
    import onnxruntime
    from tokenizers import Tokenizer
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(f"{scratch}/{name}.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.enable_truncation(limit(folder))
    tokenizer.enable_padding()

    def encode(texts, batch):
        out = numpy.empty((len(texts), 0), numpy.float32)
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))  # as sentence-transformers does, for little padding
        for at in range(0, len(order), batch):
            part = order[at:at + batch]
            encoded = tokenizer.encode_batch([texts[i] for i in part])
            ids, mask = (numpy.array([getattr(e, key) for e in encoded], numpy.int64) for key in ("ids", "attention_mask"))
            states = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)})[0]
            pooled = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
            pooled /= numpy.linalg.norm(pooled, axis=1, keepdims=True)
            if not out.shape[1]:
                out = numpy.empty((len(texts), pooled.shape[1]), numpy.float32)
            out[part] = pooled
        return out
    return encode, versions("onnxruntime", "onnx") + "; all graph optimisations, intra_op_num_threads" + ("; quantize_dynamic, QInt8 weights" if name == "onnx-int8" else "")


def export(folder, scratch):
    """The graph up to the states of the last layer; pooling is the caller's. Its attention is the plain one, which ONNX Runtime knows how to fuse."""
    import torch
    from transformers import AutoModel
    try:
        model = AutoModel.from_pretrained(folder, attn_implementation="eager")
    except (TypeError, ValueError):
        model = AutoModel.from_pretrained(folder)
    model.eval().config.return_dict = False
    names = ["input_ids", "attention_mask", "token_type_ids"]
    sample = torch.ones(2, 8, dtype=torch.int64)
    torch.onnx.export(model, (sample, sample, sample * 0), f"{scratch}/onnx-f32.onnx", input_names=names, output_names=["states", "pooled"], opset_version=14,
                      dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names + ["states"]})


def quantise(scratch):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(f"{scratch}/onnx-f32.onnx", f"{scratch}/onnx-int8.onnx", weight_type=QuantType.QInt8)


def measure(action, seconds, least):
    times = []
    began = time.perf_counter()
    while len(times) < least or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def peer(name, folder, threads, scratch):
    """Says one line of JSON when it is ready, and one for each line that it reads; vectors for comparison go to a file."""
    import numpy
    answers, sys.stdout = sys.stdout, sys.stderr
    texts = read_list(f"{scratch}/texts")
    began = time.perf_counter()
    encode, about = load_sentence_transformers(folder, threads, scratch) if name == "sentence-transformers" else load_onnx(folder, threads, scratch, name)
    load = time.perf_counter() - began
    some, best = texts[:16], {}
    encode(some, 8)
    for batch in (1, 4, 16, 32):
        best[batch] = measure(lambda batch=batch: encode(texts[:32], batch), 0, 1)
    batch = min(best, key=best.get)
    numpy.save(f"{scratch}/{name}.npy", encode(texts, batch))
    print(json.dumps({"about": f"{about}; batches of {batch}", "load_ms": 1000 * load}), file=answers, flush=True)
    for _ in sys.stdin:
        texts_s = measure(lambda: encode(texts, batch), SECONDS, 1)
        question_s = measure(lambda: encode([QUESTION], 1), 1, 5)
        print(json.dumps({"texts_s": texts_s, "question_ms": 1000 * question_s, "peak": peak()}), file=answers, flush=True)


# ---- Texts ----

def read_list(path):
    return [text.decode("utf-8", "replace") for text in pathlib.Path(path).read_bytes().split(b"\0") if text.strip()]


def paragraphs(folder):
    """Paragraphs of all .md files, packed to about 800 bytes."""
    for path in sorted(pathlib.Path(folder).rglob("*.md")):
        packed = ""
        for paragraph in path.read_text("utf-8", "replace").replace("\0", "").split("\n\n"):
            if packed and len(packed) + len(paragraph) > 800:
                yield packed
                packed = ""
            packed += ("\n\n" if packed else "") + paragraph.strip()
        if packed.strip():
            yield packed


def limit(folder):
    try:
        return json.loads(pathlib.Path(folder, "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
    except (OSError, KeyError):
        return 512


def choose(path, folder, most):
    """Texts of 64 tokens or more that fit the model, drawn with a fixed seed; and how many tokens each has."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = list(paragraphs(path)) if os.path.isdir(path) else read_list(path)
    random.Random(SEED).shuffle(texts)
    chosen = []
    for text in texts:
        n = len(tokenizer.encode(text).ids)
        if 64 <= n <= limit(folder):
            chosen.append((text, n))
        if len(chosen) == most:
            break
    return [text for text, _ in chosen], sum(n for _, n in chosen)


# ---- Rounds ----

def run_quaere(binary, scratch, name, threads):
    options = ["--llama"] if name == "llama.cpp" else ["--precision", name.split("-")[1]]
    out = subprocess.run([binary, "bench", "embed", "--json", "--model", f"{scratch}/model.gguf", "--texts", f"{scratch}/texts", "--threads", str(threads), "--seconds",
                          str(SECONDS), *options], capture_output=True, text=True, check=True).stdout
    told = json.loads(out)
    row = told["rows"][0]
    return row | {"tokens": told["texts"]["tokens"]}


def start_peer(name, threads, scratch):
    python = os.environ.get("BENCH_ONNX_PYTHON" if name.startswith("onnx") else "BENCH_PYTHON") or sys.executable
    process = subprocess.Popen([python, __file__, "--peer", name, os.environ["MODEL"], str(threads), scratch], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, ask(name, process)


def ask(name, process):
    line = process.stdout.readline()
    if not line:
        sys.exit(f"bench/embed: {name} ended with status {process.wait()}; what it said stands above. WITHOUT='{name}' leaves it out")
    return json.loads(line)


def cosines(scratch, name):
    import numpy
    a, b = (numpy.load(f"{scratch}/{n}.npy") for n in (name, "sentence-transformers"))
    return (a * b).sum(1)


def main():
    binary, path = sys.argv[1:3]
    folder, rounds, threads = os.environ["MODEL"], int(os.environ.get("ROUNDS", 3)), int(os.environ.get("THREADS", os.cpu_count()))
    names = [name for name in QUAERE + PEERS if name not in os.environ.get("WITHOUT", "").split()]
    peers = [name for name in names if name in PEERS and name != "llama.cpp"]
    with tempfile.TemporaryDirectory(prefix="quaere-bench.") as scratch:
        texts, tokens = choose(path, folder, int(os.environ.get("TEXTS_MOST", 100)))
        if not texts:
            sys.exit(f"bench/embed: {path} holds no text of 64 to {limit(folder)} tokens")
        pathlib.Path(scratch, "texts").write_bytes(b"\0".join(text.encode("utf-8") for text in texts))
        subprocess.run([binary, "model", "import", folder, "--output", f"{scratch}/model.gguf"], check=True, stdout=subprocess.DEVNULL)
        if any(name.startswith("onnx") for name in names):
            run_part("--export", os.environ["BENCH_PYTHON"], folder, scratch)
            run_part("--quantise", os.environ.get("BENCH_ONNX_PYTHON") or os.environ["BENCH_PYTHON"], scratch)
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), "?")
        print(f"machine: {cpu}, {os.cpu_count()} processors, {os.uname().sysname} {os.uname().release}, load {os.getloadavg()[0]:.1f}\nprogram: {version}\n"
              f"model: {folder}\ntexts: {len(texts)} of {path}, {tokens / len(texts):.0f} tokens on average, seed {SEED}; {threads} threads, {rounds} rounds", flush=True)
        running, about, results = {}, {}, {name: [] for name in names}
        for name in peers:
            running[name], about[name] = start_peer(name, threads, scratch)
        for number in range(rounds):
            for name in names:
                if name not in running:
                    row = run_quaere(binary, scratch, name, threads)
                    about[name] = {"about": row["runs"], "load_ms": row["load_ms"]}
                    if row["tokens"] != tokens:
                        print(f"note: {name} counts {row['tokens']} tokens instead of {tokens}")
                    results[name].append((row["texts_per_second"], row["question_ms"], row["peak_bytes"]))
                else:
                    print("go", file=running[name].stdin, flush=True)
                    told = ask(name, running[name])
                    results[name].append((len(texts) / told["texts_s"], told["question_ms"], told["peak"]))
                if sys.stderr.isatty():
                    print(f"\r\033[Kround {number + 1} of {rounds}: {name}", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        for process in running.values():
            process.stdin.close()
            process.wait()
        report(names, about, results, tokens / len(texts))
        for name in peers:
            if name.startswith("onnx") and "sentence-transformers" in peers:
                cosine = cosines(scratch, name)
                print(f"{name}: cosine to sentence-transformers mean {cosine.mean():.5f}, least {cosine.min():.5f}")


def report(names, about, results, tokens_a_text):
    """Ratios within a round, then their median: what a round was slowed down by is in both."""
    base = names[0]
    print(f"\n{'':24}{'tokens/s':>10}{'texts/s':>10}{'question, ms':>14}{'load, ms':>10}{'peak, MB':>10}   {base} is faster: texts, question")
    for name in names:
        rate, question, memory = (statistics.median(column) for column in zip(*results[name]))
        faster = [(ours[0] / theirs[0], theirs[1] / ours[1]) for ours, theirs in zip(results[base], results[name])]
        texts, asked = (statistics.median(column) for column in zip(*faster))
        print(f"{name:24}{rate * tokens_a_text:10.0f}{rate:10.1f}{question:14.2f}{about[name]['load_ms']:10.0f}{memory / 1e6:10.0f}   {texts:.2f} times, {asked:.2f} times")
    print()
    for name in names:
        print(f"{name}: {about[name]['about']}")


def run_part(part, python, *arguments):
    """What needs a package that this interpreter may lack."""
    done = subprocess.run([python, __file__, part, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench/embed: {part[2:]} failed:\n{done.stderr}")


if sys.argv[1] == "--peer":
    peer(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
elif sys.argv[1] == "--export":
    export(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "--quantise":
    quantise(sys.argv[2])
else:
    main()
