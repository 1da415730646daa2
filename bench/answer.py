"""Run by bench/answer. For each question: `quaere ask` as a whole process until its first token, its first checked sentence and its end; the same for GPT4All, whose model is
already loaded, given the four best passages. Alternates between the two, so that a busy machine is busy for both. Prints medians and ratios."""
import json
import os
import statistics
import subprocess
import sys
import time

from gpt4all import GPT4All

MODEL = "qwen2.5-coder-0.5b-instruct"
# The prompt of LangChain's "stuff" chain.
PROMPT = ("Use the following pieces of context to answer the question at the end. If you don't know the answer, just say that you don't know, don't try to make up an "
          "answer.\n\n{context}\n\nQuestion: {question}\nHelpful Answer:")


def ask(quaere, question):
    began = time.monotonic()
    marks = {}
    process = subprocess.Popen([quaere, "ask", "--json", "--stream", "--raw", "--forget", question], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        event = json.loads(line)["event"]
        marks.setdefault(event, time.monotonic() - began)
    process.wait()
    return marks


def peer(model, context, question):
    began = time.monotonic()
    first = None
    with model.chat_session():
        for _ in model.generate(PROMPT.format(context=context, question=question), max_tokens=160, temp=0, streaming=True):
            first = first or time.monotonic() - began
    return first, time.monotonic() - began


def main():
    quaere, path = sys.argv[1:3]
    runs, threads = int(os.environ.get("RUNS", 3)), int(os.environ.get("THREADS", os.cpu_count()))
    questions = [line.strip() for line in open(path, encoding="utf-8") if line.strip()]
    folder = os.environ.get("QUAERE_MODELS") or os.path.expanduser("~/.local/share/quaere/models")
    model = GPT4All(MODEL + ".gguf", model_path=folder, allow_download=False, device="cpu", n_ctx=4096, n_threads=threads, verbose=False)
    version = subprocess.run([quaere, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"machine: {cpu}, {os.cpu_count()} processors; {version}; gpt4all 2.8.2, {threads} threads; {MODEL}; {len(questions)} questions, {runs} runs, greedy")
    rows = []
    for _ in range(runs):
        for question in questions:
            hits = json.loads(subprocess.run([quaere, "search", "--json", "-k", "4", question], capture_output=True, text=True, check=True).stdout)["hits"]
            marks = ask(quaere, question)
            first, whole = peer(model, "\n\n".join(hit["plain"] for hit in hits), question)
            if "token" in marks:
                rows.append((marks["sources"], marks["token"], marks.get("sentence", marks["done"]), marks["done"], first, whole))
    names = ["quaere: sources", "quaere: first token", "quaere: first checked sentence", "quaere: end of the process", "gpt4all: first token", "gpt4all: end"]
    for name, column in zip(names, zip(*rows)):
        print(f"{name:32} {statistics.median(column):7.2f} s")
    print(f"first token: {statistics.median(r[4] / r[1] for r in rows):.1f} times sooner; first checked sentence against the peer's first token: "
          f"{statistics.median(r[4] / r[2] for r in rows):.1f}")


main()
