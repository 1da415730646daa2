/* BM25F (Robertson, Zaragoza and Taylor 2004): occurrences are weighted and normalised by the length of their own field, and
 * added before they saturate, so a word in title and text counts once and strongly, not twice. idf in the form that never
 * gets negative: a word of every second chunk still tells a little. The constants are BM25's customary ones, the head's from
 * 170 questions over the SageMaker guide; all within k1 0.9 to 1.5 and b 0.4 to 0.75 lie within noise of each other
 * (docs/search.md). */
#include "store/store_rank.h"
#include <math.h>

const struct store_rank_params store_rank_defaults = {.k1 = 1.2, .body_b = 0.75, .head_b = 0.3, .head_weight = 1.5};

double store_rank_idf(const struct store_rank_totals *totals, uint64_t df) {
    double n = (double)totals->chunks, d = (double)df;
    return log(1 + (n - d + 0.5) / (d + 0.5));
}

static double normalised(double occurrences, double b, uint32_t words, uint64_t all_words, uint64_t chunks) {
    double mean = all_words ? (double)all_words / (double)chunks : 1;
    return occurrences / (1 - b + b * words / mean);
}

double store_rank_part(const struct store_rank_params *p, const struct store_rank_totals *totals,
                       const struct store_rank_match *match) {
    double tf = p->head_weight * normalised(match->in_head, p->head_b, match->head_words, totals->head_words,
                                            totals->chunks) +
                normalised(match->in_body, p->body_b, match->body_words, totals->body_words, totals->chunks);
    return tf * (p->k1 + 1) / (tf + p->k1);
}
