/* WordPiece vocabularies as GGUFs in memory, for the tokenizer. Tokens are given as vocab.txt has them; what stands in
 * brackets becomes a control token. */
#ifndef FAKE_VOCABULARY_H
#define FAKE_VOCABULARY_H

#include "embed/tokenizer.h"

enum fake_setting { FAKE_UNSAID, FAKE_NO, FAKE_YES };

struct fake_vocabulary {
    struct buf bytes;
    struct model_gguf *g;
};
/* n 0: up to a NULL. Tokens of at most 500 bytes. */
void fake_vocabulary_make(struct fake_vocabulary *v, const char *const *tokens, size_t n, enum fake_setting lower,
                          enum fake_setting strip);
/* Every character below U+30000, and the tags, as the beginning of a word and as its continuation: ids then tell what a
 * text was normalised to. [PAD], [UNK], [CLS], [SEP], [MASK] are 0 to 4. */
void fake_vocabulary_of_letters(struct fake_vocabulary *v, enum fake_setting lower, enum fake_setting strip);
void fake_vocabulary_free(struct fake_vocabulary *v);

#endif
