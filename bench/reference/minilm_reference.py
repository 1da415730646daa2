"""Reference vectors of all-MiniLM-L6-v2 by sentence-transformers, in 32-bit floats on the processor.

    python3 bench/reference/minilm_reference.py FOLDER tests/data/minilm_reference.json

FOLDER is the model as published (model.safetensors, vocab.txt, 1_Pooling/ ...). Run once; tests/unit/test_embed_parity.c compares with what it wrote.
Made with sentence-transformers 2.7.0, transformers 4.40.2, torch 1.12.1. Each text is there for a cause of its own, and fits the model's
256 tokens: what is longer is cut by sentence-transformers and averaged over pieces by Quaere, so it cannot be compared.
"""
import json
import sys

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer

PARAGRAPH = (
    "Managed spot training uses spare capacity instead of on-demand instances, which can lower the cost of training by up to ninety percent. "
    "The service watches for interruptions on your behalf, and a job that was stopped goes on from its last checkpoint as soon as capacity is back. "
    "Set the maximum wait time to at least the maximum run time, and keep checkpoints in a bucket in the same region. "
)
TEXTS = {
    "word": "spot",
    "question": "How long is a presigned URL valid?",
    "paragraph": PARAGRAPH,
    "near the limit": PARAGRAPH * 3 + "Delete unused endpoints.",
    "accents": "Où est le café d'Ångström? Übergröße, naïve coöperation, São Paulo, Łódź, İstanbul.",
    "decomposed accents": "Ou\u0300 est le cafe\u0301? na\u0131\u0308ve",
    "Chinese and Japanese": "如何部署机器学习模型 機械学習モデルをデプロイする方法を教えてください。",
    "Greek, Cyrillic, Arabic": "Πώς μπορώ να ξεκινήσω; Как обучить модель? كيف يمكنني تدريب نموذج؟",
    "code": "def fit(self, x_train, y_train=None, *, epochs=10):\n    return {k: v[\"loss\"] for k, v in self.history.items() if v != 0}  # 1e-3",
    "addresses": "https://docs.example.com/en_us/latest/api/CreateTrainingJob.html#API_Request s3://my-bucket/prefix/*.csv C:\\Temp\\a.txt",
    "table": "| Parameter | Default | Range |\n|---|---|---|\n| `max_depth` | 6 | [0, \u221e) |\n| eta | 0.3 | 0\u20131 |",
    "white space": "  two\u00a0words\t and\u2003three \r\n\r\n zero\u200bwidth soft\u00adhyphen  ",
    "symbols and emoji": "Fast \U0001f680 and cheap \U0001f44d\U0001f3fd — 50 % off… ½ price €5 ±3 °C © 2024",
    "shouting": "DO NOT DELETE THE ENDPOINT!!! (SEE TROUBLESHOOTING)",
}


def main() -> None:
    folder, out = sys.argv[1], sys.argv[2]
    torch.set_num_threads(1)
    model = SentenceTransformer(folder, device="cpu")
    tokens = {name: len(model.tokenizer(text)["input_ids"]) for name, text in TEXTS.items()}
    assert max(tokens.values()) <= model.max_seq_length, tokens
    vectors = {name: model.encode(text, convert_to_numpy=True).astype("float64") for name, text in TEXTS.items()}
    rows = [{"name": name, "text": text, "tokens": tokens[name], "vector": [round(float(v), 6) for v in vectors[name]]} for name, text in TEXTS.items()]
    made = {"sentence-transformers": sentence_transformers.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    with open(out, "w", encoding="utf-8") as f:
        f.write('{"model": "all-MiniLM-L6-v2", "made_with": %s, "texts": [\n' % json.dumps(made))
        f.write(",\n".join(json.dumps(row) for row in rows))
        f.write("\n]}\n")


main()
