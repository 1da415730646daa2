"""Run by bench/first_token."""
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PIECE = b'"content":"'  # the first event has only a role, and null
REST = 0.5  # seconds; threads of both wait for more by spinning, which would slow the other


def conversations(quaere, questions):
    """The messages of each answer, out of the record of its turn."""
    with tempfile.TemporaryDirectory(prefix="quaere-bench.") as scratch:
        state = f"{scratch}/state.db"
        for question in questions:
            subprocess.run([quaere, "ask", "--json", "--state", state, question], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            shown = json.loads(subprocess.run([quaere, "conversations", "show", "last", "--json", "--state", state], check=True, capture_output=True, text=True).stdout)
            messages = shown["turns"][-1]["record"].get("prompt")
            if messages:
                yield messages


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_server(model, threads, port):
    server = subprocess.Popen([os.environ["LLAMA_SERVER"], "-m", model, "-t", str(threads), "-c", "4096", "-np", "1", "--host", "127.0.0.1", "--port", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                c = http.client.HTTPConnection("127.0.0.1", port)
                c.request("GET", "/health")
                if c.getresponse().status == 200:
                    return server
        except OSError:
            pass
        time.sleep(0.2)
    server.terminate()
    sys.exit("bench/first_token: llama.cpp's server did not start")


def ask_server(port, messages):
    body = json.dumps({"messages": messages, "stream": True, "max_tokens": 2, "temperature": 0})
    began = time.monotonic()
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    response = c.getresponse()
    first, told = None, b""
    while line := response.readline():
        if first is None and PIECE in line:
            first = 1000 * (time.monotonic() - began)
        told = line if b'"timings"' in line else told
    timings = json.loads(told.split(b":", 1)[1])["timings"] if told else {}
    return first, timings.get("prompt_n", 0) + timings.get("cache_n", 0), timings.get("cache_n", 0)


def ask_own(process, messages):
    print(json.dumps(messages), file=process.stdin, flush=True)
    told = json.loads(process.stdout.readline())
    return told["first_token_ms"], told["prompt_tokens"], told["reused_tokens"]


def main():
    build, path = sys.argv[1:3]
    runs, threads = int(os.environ.get("RUNS", 3)), int(os.environ.get("THREADS", os.cpu_count()))
    folder = os.environ.get("QUAERE_MODELS") or os.path.expanduser("~/.local/share/quaere/models")
    model = os.environ.get("MODEL") or f"{folder}/qwen2.5-coder-0.5b-instruct.gguf"
    questions = [line.strip() for line in open(path, encoding="utf-8") if line.strip()]
    asked = list(conversations(f"{build}/quaere", questions))
    if not asked:
        sys.exit("bench/first_token: no question was answered by a model")
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), "?")
    version = subprocess.run([f"{build}/quaere", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"machine: {cpu}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {version}; {os.path.basename(model)}, {threads} threads; {len(asked)} conversations, "
          f"{runs} runs, greedy", flush=True)
    port = free_port()
    server = start_server(model, threads, port)
    own = subprocess.Popen([f"{build}/bench_generator", model, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    rows = []
    try:
        for run in range(runs + 1):
            for messages in asked:
                row = []
                for one, to in ((ask_own, own), (ask_server, port)):
                    time.sleep(REST)
                    row.append(one(to, messages))
                if run:  # the first is to warm up
                    rows.append(row)
    finally:
        own.stdin.close()
        own.wait()
        server.terminate()
        server.wait()
    for name, column in zip(("quaere", "llama.cpp's server"), zip(*rows)):
        first, prompt, reused = (statistics.median(c) for c in zip(*column))
        print(f"{name:20} first token {first:8.0f} ms, prompt {prompt:.0f} tokens, {reused:.0f} of them reused")
    print(f"quaere takes {statistics.median(a[0] / b[0] for a, b in rows):.3f} of the server's time (median of ratios)")


main()
