/* Who may see what a run did not read. A document that failed, or is gone and kept, stands in the index with the access that the run which read
 * it last gave it. If the rules have been tightened since, it would be shown to those who are to see it no more, for as long as it cannot be
 * read; so its access is narrowed without reading it.
 *
 * Never widened: nobody knows what its front matter says today. Those remain whom both lists name, the stored one and that of today's rules. A
 * list says "in one of these groups", so whoever is in a group of each, but in none that both name, is left out as well: too narrow where a
 * document names a group of its own, and only until it is read again, which set_access sees to. While the settings of the run are
 * those that the document was stored with, the rules are too, and nothing is done: a failure alone hides nothing. */
#include "ingest/run.h"
#include <string.h>

enum { MEMORY = 256 << 20 };

static bool names(const char *const *groups, size_t n, const char *group) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(groups[i], group) == 0)
            return true;
    return false;
}

/* Every member of a group is signed in. */
static const char signed_in[] = "signed-in";

/* Cuts `to` down to those who are named in `stored` too. *narrower: this leaves out somebody who may see it now. */
static qa_status cut_down(struct arena *a, const struct index_document *stored, struct index_document_record *to, bool *narrower, qa_error *err) {
    const char *const *old = (const char *const *)stored->groups;
    *narrower = true;
    if (!stored->restricted && !stored->n_groups)
        return QA_OK;
    const char **both = arena_array(a, stored->n_groups + to->n_groups, sizeof *both);
    size_t n = 0;
    if (!both)
        return arena_error(a, err, "narrowing access");
    bool old_any = names(old, stored->n_groups, signed_in), new_any = names(to->groups, to->n_groups, signed_in);
    for (size_t i = 0; i < stored->n_groups; i++)
        if (new_any || names(to->groups, to->n_groups, old[i]))
            both[n++] = old[i];
    *narrower = n < stored->n_groups;
    for (size_t i = 0; old_any && i < to->n_groups; i++)
        if (!names(both, n, to->groups[i]))
            both[n++] = to->groups[i];
    to->groups = both;
    to->n_groups = n;
    return QA_OK;
}

static qa_status narrow(struct run_state *s, struct known_source *k, const struct index_known *known, const struct document_item *item,
                        struct arena *a, qa_error *err) {
    const struct index_port *index = &s->run->index;
    struct ingest_rule scratch;
    const struct ingest_rule *access = NULL;
    struct index_document_record to = {0};
    struct index_document stored = {0};
    struct hash128 settings;
    uint64_t *chunks = NULL;
    size_t n = 0;
    bool narrower = false;
    qa_status status = record_access(s->run, &s->rules, item->path, &scratch, &access, err);
    if (status == QA_OK)
        status = record_fill_access(item, access, NULL, a, &to, err);
    if (status != QA_OK || !to.restricted)
        return status;
    if (known) {
        status = record_settings(&s->rules, item, access, a, &settings, err);
        if (status != QA_OK || hash_compare(settings, known->settings) == 0)
            return status;
    }
    status = index->ops->find_document(index->self, NULL, k->name, item->path, a, &stored, &chunks, &n, err);
    if (status == QA_OK)
        status = cut_down(a, &stored, &to, &narrower, err);
    if (status == QA_NOT_FOUND || !narrower) /* this run may have forgotten it again */
        return status == QA_NOT_FOUND ? QA_OK : status;
    s->narrowed++;
    status = run_begin_write(s, k, err);
    if (status != QA_OK || s->run->dry_run)
        return status;
    return index->ops->set_access(index->self, k->name, item->path, true, to.groups, to.n_groups, err);
}

qa_status run_narrow(struct run_state *s, struct known_source *source, const struct index_known *known, const struct document_item *item,
                     qa_error *err) {
    struct arena a;
    arena_init(&a, MEMORY);
    qa_status status = narrow(s, source, known, item, &a, err);
    arena_free(&a);
    return status;
}

qa_status run_narrow_kept(struct run_state *s, struct known_source *source, qa_error *err) {
    qa_status status = QA_OK;
    for (size_t i = 0; i < source->n && status == QA_OK; i++) {
        if (source->state[i] != KNOWN_UNSEEN && source->state[i] != KNOWN_KEPT && source->state[i] != KNOWN_EMPTIED)
            continue;
        uint64_t before = s->narrowed;
        status = run_narrow(s, source, &source->rows[i], &(struct document_item){.path = source->rows[i].path}, err);
        if (status == QA_OK && s->narrowed > before)
            status = batch_step(&s->batch, 0, err);
        s->write_failed |= status != QA_OK;
    }
    return status;
}
