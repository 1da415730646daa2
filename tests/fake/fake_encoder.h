/* A BERT encoder as a GGUF, as small as shows everything: two layers of two heads, 16 tokens; and parts of it to be put wrong. Weights
 * follow from the tensor's name and the element's number, and are the same in 16 bits. */
#ifndef FAKE_ENCODER_H
#define FAKE_ENCODER_H

#include "model/gguf.h"

enum {
    ENCODER_HIDDEN = 16, ENCODER_HEADS = 2, ENCODER_INNER = 32, ENCODER_LAYERS = 2, ENCODER_POSITIONS = 24, ENCODER_TYPES = 2, ENCODER_VOCABULARY = 16
};
/* As vocab.txt has them: [PAD] [UNK] [CLS] [SEP] [MASK] the key a rot ##ate ##s . query passage : secret */
extern const char *const fake_encoder_tokens[ENCODER_VOCABULARY];

struct fake_encoder {
    bool cls, half;              /* pooling by the first token; matrices of 16-bit floats */
    const char *omit;            /* an entry or a tensor that is not there */
    const char *key;             /* an entry that is, or becomes... */
    uint32_t value;              /* ... this number */
    const char *text;            /* ... or, when set, this string */
    const char *odd;             /* a tensor of another shape or type */
    uint64_t shape[3];           /* [0] 0: as it should be */
    uint32_t type;               /* 0: as it should be */
    const char *broken;          /* a tensor whose every ENCODER_HIDDENth element is `wrong` */
    float wrong;
};
/* Into `out`, which the function begins. */
void fake_encoder_make(const struct fake_encoder *how, struct buf *out);
void fake_encoder_write(const struct fake_encoder *how, const char *path);

/* All tensors, by number; NULL behind the last one. */
const char *fake_encoder_tensor(size_t i);
float fake_encoder_weight(const char *tensor, size_t element);

#endif
