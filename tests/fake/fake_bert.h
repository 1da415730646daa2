/* A sentence-transformers folder of the BERT family, as small as can be (one layer, two heads, six tokens), for the importer; and parts of it to be put
 * wrong. The weights are numbers that can be told apart: tensor i holds i + 0.001 * element. */
#ifndef FAKE_BERT_H
#define FAKE_BERT_H

#include "fake/fake_tree.h"
#include <stdint.h>

enum { BERT_HIDDEN = 4, BERT_INNER = 8, BERT_VOCABULARY = 7, BERT_POSITIONS = 5, BERT_TYPES = 2, BERT_TENSORS = 21 };

struct fake_bert {
    const char *dtype;   /* NULL: "F32"; or "F16", "BF16" */
    const char *prefix;  /* NULL: "" */
    const char *omit;    /* a tensor without this name (prefix not counted); NULL */
    const char *extra;   /* one more of one element; NULL */
    const char *infinite;/* its last element is; NULL */
    int old_norms;       /* gamma and beta */
};
/* Writes folder/model.safetensors, config.json, vocab.txt, modules.json, 1_Pooling/config.json, tokenizer_config.json, sentence_bert_config.json. */
void fake_bert_make(const struct fake_tree *t, const char *folder, const struct fake_bert *how);
extern const char fake_bert_config[], fake_bert_vocabulary[];

#endif
