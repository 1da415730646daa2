/* Is there an answer in the passages at all?
 *
 *     E = 2 gap - 5 missing - 4 foreign - 2 price + score of the best unit
 *
 * gap: how far the best chunk stands out before the tenth. missing: the share of the question's weight in name-like
 * words that the best passage lacks. foreign: what of the question's weight lies, beyond one half, in words that no
 * document holds; without it "how do I bake a chocolate cake?" is answered with whatever has a verb in common. price:
 * the question asks for money and no passage names an amount. Below NONE_BELOW the question is refused.
 *
 * docs/answering.md has what was measured. Near the threshold hardly anything changes. A rule of a few figures that a
 * person can follow; a logistic regression over forty was no better. */
#include "answer/answer_internal.h"

static const double GAP = 2, MISSING = 5, FOREIGN = 4, FOREIGN_FREE = 0.5, PRICE = 2;
static const double NONE_BELOW = 0.2, WEAK_BELOW = 1.2;

static double foreign_share(const struct search_terms *terms) {
    double foreign = 0, all = 0;
    for (size_t i = 0; i < terms->n; i++) {
        const struct search_term *t = &terms->items[i];
        if (t->kind == WORD_EXACT)
            continue;
        all += t->own ? t->idf : t->idf * t->weight;
        foreign += t->own && !t->known ? t->idf : 0;
    }
    return all > 0 && foreign > FOREIGN_FREE * all ? foreign / all - FOREIGN_FREE : 0;
}

qa_evidence answer_weigh_evidence(struct answer_work *w) {
    const struct question *q = &w->question;
    double total = q->total > 0 ? q->total : 1, missing = 0;
    for (size_t i = 0; i < q->n; i++)
        if (!set_has(&w->holds[0], (int)i))
            missing += q->terms[i].name_weight / total;
    w->price = answer_asks_price(&q->tokens) && !w->amount;
    double e = GAP * w->found->gap - MISSING * missing - FOREIGN * foreign_share(&w->found->terms) - PRICE * w->price;
    if (!w->n_chosen || (e += w->chosen[0]->score) < NONE_BELOW)
        return QA_EVIDENCE_NONE;
    return e < WEAK_BELOW ? QA_EVIDENCE_WEAK : QA_EVIDENCE_STRONG;
}

qa_status answer_judge(struct words *words, struct arena *a, struct search_result *found, qa_error *err) {
    struct answer_work work;
    qa_status status = answer_prepare(words, a, found, &work, err);
    if (status == QA_OK)
        found->evidence = answer_weigh_evidence(&work);
    return status;
}
