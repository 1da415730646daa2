/* llama_batch_init would do the same, but writes through pointers that it did not check for being out of memory. */
#include "llm/llm_internal.h"
#include <assert.h>
#include <stdlib.h>

qa_status llm_batch_make(struct llm_batch *b, size_t room, qa_error *err) {
    struct llama_batch *t = &b->tokens;
    llm_batch_free(b);
    t->token = calloc(room, sizeof *t->token);
    t->pos = calloc(room, sizeof *t->pos);
    t->n_seq_id = calloc(room, sizeof *t->n_seq_id);
    t->seq_id = calloc(room, sizeof *t->seq_id);
    t->logits = calloc(room, sizeof *t->logits);
    if (!t->token || !t->pos || !t->n_seq_id || !t->seq_id || !t->logits)
        return error_no_memory(err, "making room for tokens");
    for (size_t i = 0; i < room; i++) {
        t->n_seq_id[i] = 1;
        t->seq_id[i] = &b->sequence;
    }
    b->room = room;
    return QA_OK;
}

void llm_batch_add(struct llm_batch *b, llama_token token, size_t position, bool wanted) {
    struct llama_batch *t = &b->tokens;
    assert((size_t)t->n_tokens < b->room);
    t->token[t->n_tokens] = token;
    t->pos[t->n_tokens] = (llama_pos)position;
    t->logits[t->n_tokens++] = wanted;
}

void llm_batch_free(struct llm_batch *b) {
    free(b->tokens.token);
    free(b->tokens.pos);
    free(b->tokens.n_seq_id);
    free(b->tokens.seq_id);
    free(b->tokens.logits);
    *b = (struct llm_batch){0};
}
