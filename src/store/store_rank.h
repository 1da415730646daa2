/* How a match is scored. Whoever changes the formula changes store_rank.c, and nothing else. */
#ifndef STORE_RANK_H
#define STORE_RANK_H

#include <stdint.h>

struct store_rank_params {
    double k1, body_b, head_b;
    double head_weight; /* an occurrence in title, headings or path counts as so many in the text */
};
struct store_rank_totals { /* of the whole index, whoever asks: term statistics are not a secret, hits are */
    uint64_t chunks, head_words, body_words;
};
struct store_rank_match { /* one term in one chunk */
    uint32_t in_head, in_body;         /* occurrences */
    uint32_t head_words, body_words;   /* words of the chunk */
};
extern const struct store_rank_params store_rank_defaults;

double store_rank_idf(const struct store_rank_totals *totals, uint64_t df);
/* What the match adds to the score, before idf and the weight of the term. */
double store_rank_part(const struct store_rank_params *p, const struct store_rank_totals *totals,
                       const struct store_rank_match *match);

#endif
