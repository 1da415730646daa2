#include "answer/answer_internal.h"

qa_status answer_extract(struct words *words, struct arena *a, struct search_result *found, struct answer *out, qa_error *err) {
    struct answer_work work;
    *out = (struct answer){.text = ""};
    qa_status status = answer_prepare(words, a, found, &work, err);
    if (status != QA_OK)
        return status;
    found->evidence = answer_weigh_evidence(&work);
    if (found->evidence == QA_EVIDENCE_NONE)
        return answer_refuse(&work, out, err);
    status = answer_render(&work, out, err);
    return status == QA_OK ? answer_find_short(&work, &out->short_answer, err) : status;
}
