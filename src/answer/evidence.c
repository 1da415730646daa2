/* Is there an answer in the passages at all?
 *
 *     E = 2 gap - 5 missing - 2 price + score of the best unit
 *
 * gap: how far the best chunk stands out before the tenth. missing: the share of the question's weight in name-like words that the best passage
 * lacks. price: the question asks for money and no passage names an amount. Below NONE_BELOW the question is refused.
 *
 * Measured on 161 turns of two sets over one guide, 35 of them without an answer in it (docs/answering.md has the table): AUC .851; with the
 * threshold chosen by cross-validation 63 % of the 35 are refused and 3 % of the others, without one fact lost. From .1 to .4 hardly
 * anything changes. A rule of four figures that a person can follow; a logistic regression over forty was no better. */
#include "answer/answer_internal.h"

static const double GAP = 2, MISSING = 5, PRICE = 2;
static const double NONE_BELOW = 0.2, WEAK_BELOW = 1.2;

qa_evidence answer_weigh_evidence(struct answer_work *w, double *figure) {
    const struct question *q = &w->question;
    double total = q->total > 0 ? q->total : 1;
    w->missing = 0;
    for (size_t i = 0; i < q->n; i++)
        if (!set_has(&w->holds[0], (int)i))
            w->missing += q->terms[i].name_weight / total;
    w->price = answer_asks_price(&q->tokens) && !w->amount;
    *figure = GAP * w->found->gap - MISSING * w->missing - PRICE * w->price + (w->n_chosen ? w->chosen[0]->score : 0);
    if (!w->n_chosen || *figure < NONE_BELOW)
        return QA_EVIDENCE_NONE;
    return *figure < WEAK_BELOW ? QA_EVIDENCE_WEAK : QA_EVIDENCE_STRONG;
}

qa_status answer_judge(struct words *words, struct arena *a, struct search_result *found, qa_error *err) {
    struct answer_work work;
    double figure;
    qa_status status = answer_prepare(words, a, found, &work, err);
    if (status == QA_OK)
        found->evidence = answer_weigh_evidence(&work, &figure);
    return status;
}
