/* A run: the listing through the pipeline, then what the listing alone could not tell - renamed documents, and those that
 * are gone. */
#include "base/clock.h"
#include "base/pipeline.h"
#include "ingest/run.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MAX_THREADS = 64,
    MAX_SOURCES = 4096,         /* in one stream */
    MAX_DOCUMENT = 64 << 20,
    ALONE_MEMORY = 1 << 30,
    SHARED_MEMORY = 256 << 20,  /* of all slots together */
    LEAST_SHARE = 4 << 20,
    ASIDE_MEMORY = 1 << 30
};

static bool cancelled(const struct run_state *s) { return s->run->cancel && atomic_load(s->run->cancel); }

static qa_status cancel_error(qa_error *err) {
    return error_set(err, QA_CANCELLED, "stopped; what was reported is safe, and running it again goes on from there");
}

/* ---- Sources ---- */

/* What is to be on record about access rules. One file of a folder, or a stream, does not speak for the documents it does not show: it
 * can add rules, not take them back. */
static bool is_ruled(const struct ingest_run *run, bool before) {
    return ingest_keeps_out(run->has_acl, run->acl, run->n_acl, run->n_rules) || (before && !(run->has_acl && run->documents.complete));
}

/* Is this source made from what this run reads? A folder that moved may keep its name when the old one is gone. */
static qa_status check_made_from(struct run_state *s, struct known_source *k, qa_error *err) {
    const struct index_port *index = &s->run->index;
    const char *mine = s->run->root ? s->run->root : INGEST_STREAM;
    struct index_source note = {0};
    struct stat st;
    qa_status status = index->ops->get_source(index->self, k->name, &k->arena, &note, err);
    if (status != QA_OK)
        return status;
    const char *stored = note.root;
    k->ruled = is_ruled(s->run, note.ruled);
    k->noted = stored && strcmp(stored, mine) == 0 && k->ruled == note.ruled;
    k->to_note = k->ruled != note.ruled && (stored || s->run->root);
    if (!stored || strcmp(stored, mine) == 0)
        return QA_OK;
    bool stream = strcmp(stored, INGEST_STREAM) == 0;
    if (!stream && s->run->root && stat(stored, &st) != 0 && errno == ENOENT) {
        k->to_note = true;
        char *message = arena_printf(&k->arena, "was made from the folder %s, which is gone; from now on it is %s", stored,
                                     s->run->root);
        return message ? batch_tell(&s->batch, QA_INGEST_NOTICE, k->name, NULL, message, err) : arena_error(&k->arena, err, "checking a source");
    }
    return error_set(err, QA_BAD_USAGE, "the source \"%s\" was made from %s%s; %s%s needs another name, with --source", k->name,
                     stream ? "JSON lines" : "the folder ", stream ? "" : stored,
                     s->run->root ? "the folder " : "a stream of JSON lines",
                     s->run->root ? s->run->root : "");
}

/* *out is NULL when a stream has named too many. */
static qa_status find_source(struct run_state *s, const char *name, struct known_source **out, qa_error *err) {
    *out = NULL;
    for (size_t i = s->n_sources; i-- > 0;)
        if (strcmp(s->sources[i]->name, name) == 0) {
            *out = s->sources[i];
            return QA_OK;
        }
    if (s->n_sources == MAX_SOURCES)
        return QA_OK;
    if (s->n_sources == s->cap_sources) {
        size_t cap = s->cap_sources ? s->cap_sources * 2 : 8;
        struct known_source **grown = reallocarray(s->sources, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err, "loading what the index knows");
        s->sources = grown;
        s->cap_sources = cap;
    }
    struct known_source *k = malloc(sizeof *k);
    if (!k)
        return error_no_memory(err, "loading what the index knows");
    qa_status status = known_load(s->run->index, name, k, err);
    if (status != QA_OK) {
        free(k);
        return status;
    }
    s->sources[s->n_sources++] = k;
    status = check_made_from(s, k, &k->refused);
    if (status != QA_OK && status != QA_BAD_USAGE)
        return error_set(err, status, "%s", k->refused.message);
    *out = k;
    return QA_OK;
}

/* ---- The listing ---- */

/* Where the item belongs, and what is known of it. */
static qa_status place_item(struct run_state *s, struct slot *slot, qa_error *err) {
    const struct document_item *item = &slot->item;
    const char *source = item->source ? item->source : s->run->source;
    if (!item->path)
        return QA_OK; /* no document; reading it says why */
    if (!source) {
        error_set(&slot->error, QA_BAD_USAGE, "names no source: add a member \"source\", or give --source");
        return QA_OK;
    }
    qa_status status = find_source(s, source, &slot->source, err);
    if (status != QA_OK)
        return status;
    if (!slot->source) {
        error_set(&slot->error, QA_TOO_LARGE, "the stream has named %d sources before \"%s\", and one run takes no more: ingest it in another",
                  MAX_SOURCES, source);
        return QA_OK;
    }
    struct known_source *k = slot->source;
    if (k->refused.status != QA_OK)
        slot->error = k->refused;
    size_t len = strlen(item->path);
    if (len && item->path[len - 1] == '/') {
        known_keep_below(k, item->path);
        return QA_OK;
    }
    slot->row = known_find(k, item->path);
    if (slot->row != KNOWN_NONE) {
        slot->again = k->state[slot->row] == KNOWN_LISTED;
        k->state[slot->row] = KNOWN_LISTED;
    }
    if (!s->run->documents.complete) {
        bool fresh;
        if ((status = hash_set_add(&k->written, hash_bytes(item->path, len), &fresh, err)) != QA_OK)
            return status;
        slot->again = !fresh;
        if (slot->again && (status = batch_tell(&s->batch, QA_INGEST_NOTICE, k->name, item->path,
                                                "listed more than once in this run; the last one counts", err)) != QA_OK)
            return status;
    }
    s->listed++;
    slot->counts = !item->deleted && !slot->again;
    return QA_OK;
}

static qa_status next(void *state, void *arg, bool *more, qa_error *err) {
    struct run_state *s = state;
    struct slot *slot = arg;
    const struct documents_port *documents = &s->run->documents;
    struct arena kept = slot->arena;
    arena_reset(&kept);
    *slot = (struct slot){.arena = kept, .row = KNOWN_NONE, .from = KNOWN_NONE};
    slot->arena.ceiling = s->share;
    if (cancelled(s))
        return cancel_error(err);
    if (s->aside) {
        *more = s->aside->at < s->aside->n;
        if (!*more)
            return QA_OK;
        struct aside_item *a = &s->aside->items[s->aside->at++];
        slot->item = a->item;
        slot->live = slot->counts = true;
        slot->source = s->sources[0];
        if (s->aside == &s->alike) {
            slot->from = known_take_moved(slot->source, a->hash);
        } else {
            slot->row = known_find(slot->source, a->item.path);
            slot->source->state[slot->row] = KNOWN_LISTED;
        }
        return QA_OK;
    }
    qa_status status = documents->ops->next(documents->self, &slot->arena, &slot->item, more, err);
    if (status != QA_OK || !*more)
        return status;
    slot->live = true;
    return place_item(s, slot, err);
}

static bool ready(void *state) {
    const struct run_state *s = state;
    return s->run->documents.ops->ready(s->run->documents.self);
}

/* Before a stream is waited for, what came so far is made safe and told. */
static qa_status idle(void *state, qa_error *err) {
    struct run_state *s = state;
    return batch_commit(&s->batch, err);
}

static qa_status pass(struct run_state *s, qa_error *err) {
    struct pipeline p = {.threads = s->threads, .window = s->window, .slots = s->slots, .slot_size = sizeof *s->slots, .user = s,
                         .next = next, .work = run_work, .done = run_done};
    if (s->run->documents.ops->ready)
        p.ready = ready, p.idle = idle;
    qa_status status = pipeline_run(&p, err);
    for (unsigned i = 0; i < s->window; i++) {
        struct slot *slot = &s->slots[i];
        if (slot->live) /* dropped on the way */
            s->run->documents.ops->release(s->run->documents.self, &slot->item);
        slot->live = false;
    }
    return status;
}

/* ---- What is gone ---- */

static qa_status forget(struct run_state *s, struct known_source *k, size_t row, qa_error *err) {
    const struct index_port *index = &s->run->index;
    const char *path = k->rows[row].path;
    k->state[row] = KNOWN_FORGOTTEN;
    qa_status status = run_begin_write(s, k, err);
    if (status == QA_OK && !s->run->dry_run)
        status = index->ops->forget_document(index->self, k->name, path, err);
    if (status == QA_OK && s->had_failures && !s->run->dry_run)
        status = index->ops->note_failure(index->self, k->name, path, NULL, err);
    if (status == QA_OK)
        status = batch_tell(&s->batch, QA_INGEST_FORGOTTEN, k->name, path, NULL, err);
    if (status == QA_OK) {
        s->batch.counts.forgotten++;
        status = batch_step(&s->batch, 0, err);
    }
    s->write_failed |= status != QA_OK;
    return status;
}

/* Forgets what is gone and empties what is empty, unless that is so much that it may be a mistake. */
static qa_status prune(struct run_state *s, struct known_source *k, qa_error *err) {
    size_t gone = 0, emptied = s->emptied.n, lost;
    char message[300];
    for (size_t i = 0; i < k->n; i++)
        gone += k->state[i] == KNOWN_UNSEEN;
    lost = gone + emptied;
    if (!lost || s->run->prune == QA_PRUNE_NEVER)
        return QA_OK;
    if (s->run->prune == QA_PRUNE_GUARDED && (!s->listed || lost > k->n / 2)) {
        s->batch.counts.withheld += lost;
        snprintf(message, sizeof message, "%zu of its %zu documents are %s%s; none of them was forgotten, in case this is a mistake "
                 "(%s). If it is right, run it again with --prune=force", lost, k->n,
                 !emptied ? "gone" : gone ? "gone or empty" : "empty", s->listed ? "" : ", and nothing else was found",
                 emptied ? "a copy that broke off" : "a disk that is not mounted, another branch");
        return batch_tell(&s->batch, QA_INGEST_NOTICE, k->name, NULL, message, err);
    }
    qa_status status = QA_OK;
    for (size_t i = 0; i < k->n && status == QA_OK; i++) {
        if (k->state[i] != KNOWN_UNSEEN)
            continue;
        status = cancelled(s) ? cancel_error(err) : forget(s, k, i, err);
    }
    s->aside = &s->emptied;
    return status == QA_OK && emptied ? pass(s, err) : status;
}

/* Noted in an earlier run, and in this one neither failed again nor below a folder that could not be listed: over. */
static bool failure_is_over(const struct run_state *s, const char *path) {
    size_t len = strlen(path);
    for (size_t end = 1; end <= len; end++)
        if ((end == len || path[end - 1] == '/') && hash_set_has(&s->failed, hash_bytes(path, end)))
            return false;
    return true;
}

/* Of what the listing no longer shows, nobody else would take the note back. */
static qa_status clear_failures(struct run_state *s, struct known_source *k, qa_error *err) {
    const struct index_port *index = &s->run->index;
    const char **paths = NULL;
    size_t n = 0;
    if (!s->had_failures || s->run->dry_run)
        return QA_OK;
    qa_status status = index->ops->list_failures(index->self, k->name, &k->arena, &paths, &n, err);
    for (size_t i = 0; i < n && status == QA_OK; i++) {
        if (!failure_is_over(s, paths[i]))
            continue;
        status = run_begin_write(s, k, err);
        if (status == QA_OK)
            status = index->ops->note_failure(index->self, k->name, paths[i], NULL, err);
        s->write_failed |= status != QA_OK;
    }
    return status;
}

/* ---- The run ---- */

static qa_status prepare(struct run_state *s, qa_error *err) {
    const struct ingest_run *run = s->run;
    struct index_statistics statistics = {0};
    struct known_source *k = NULL;
    qa_status status = record_prepare(run, &s->rules, err);
    if (status == QA_OK && run->source)
        status = ingest_check_source_name(run->source, err);
    if (status == QA_OK && run->documents.complete && !run->source)
        status = error_set(err, QA_INTERNAL, "a folder was to be ingested without the name of its source");
    if (status == QA_OK)
        status = run->index.ops->statistics(run->index.self, &statistics, err);
    if (status != QA_OK)
        return status;
    s->had_failures = statistics.failed > 0;
    s->threads = run->jobs ? run->jobs : pipeline_default_threads();
    if (s->threads > MAX_THREADS)
        s->threads = MAX_THREADS;
    s->window = s->threads * (run->documents.complete ? 4 : 2); /* a stream's items hold their content while they wait */
    s->max_bytes = run->max_bytes ? run->max_bytes : MAX_DOCUMENT;
    s->alone = run->max_memory ? run->max_memory : ALONE_MEMORY;
    s->share = SHARED_MEMORY / s->window < LEAST_SHARE ? LEAST_SHARE : SHARED_MEMORY / s->window;
    if (s->share > s->alone)
        s->share = s->alone;
    s->slots = calloc(s->window, sizeof *s->slots);
    if (!s->slots)
        return error_no_memory(err, "preparing to ingest");
    if (run->source && (status = find_source(s, run->source, &k, err)) == QA_OK && k->refused.status != QA_OK)
        status = error_set(err, k->refused.status, "%s", k->refused.message);
    return status;
}

static qa_status second_pass(struct run_state *s, qa_error *err) {
    s->aside = &s->alike;
    return s->alike.n ? pass(s, err) : QA_OK;
}

static qa_status tell_own_access(struct run_state *s, qa_error *err) {
    char message[300];
    if (!s->own_access || s->run->has_acl)
        return QA_OK;
    snprintf(message, sizeof message, "%llu document%s an access rule of %s own, but the source does not say who may see the others: now everyone. "
             "State it with --acl, or as access: default: in quaere.yaml", (unsigned long long)s->own_access,
             s->own_access == 1 ? " has" : "s have",
             s->own_access == 1 ? "its" : "their");
    return batch_tell(&s->batch, QA_INGEST_NOTICE, s->n_sources ? s->sources[0]->name : s->run->source, NULL, message, err);
}

static qa_status tell_narrowed(struct run_state *s, qa_error *err) {
    char message[300];
    if (!s->narrowed)
        return QA_OK;
    snprintf(message, sizeof message, "%llu document%s that this run did not read %s for people whom the rules leave out now; %s shown to fewer until "
             "%s read again", (unsigned long long)s->narrowed, s->narrowed == 1 ? "" : "s", s->narrowed == 1 ? "was" : "were",
             s->narrowed == 1 ? "it is" : "they are", s->narrowed == 1 ? "it is" : "they are");
    return batch_tell(&s->batch, QA_INGEST_NOTICE, s->n_sources == 1 ? s->sources[0]->name : s->run->source, NULL, message, err);
}

/* Also when no document was written. */
static qa_status note_sources(struct run_state *s, qa_error *err) {
    qa_status status = QA_OK;
    for (size_t i = 0; i < s->n_sources && status == QA_OK; i++) {
        struct known_source *k = s->sources[i];
        if (k->to_note && !k->noted && k->refused.status == QA_OK)
            status = run_begin_write(s, k, err);
    }
    s->write_failed |= status != QA_OK;
    return status;
}

static qa_status run_all(struct run_state *s, qa_error *err) {
    qa_status status = prepare(s, err);
    if (status == QA_OK)
        status = pass(s, err);
    if (status == QA_OK && s->run->documents.complete) {
        status = second_pass(s, err);
        if (status == QA_OK)
            status = prune(s, s->sources[0], err);
        if (status == QA_OK)
            status = run_narrow_kept(s, s->sources[0], err);
        if (status == QA_OK)
            status = clear_failures(s, s->sources[0], err);
    }
    if (status == QA_OK)
        status = note_sources(s, err);
    if (status == QA_OK)
        status = tell_narrowed(s, err);
    return status == QA_OK ? tell_own_access(s, err) : status;
}

static void free_aside(struct run_state *s, struct aside *aside) {
    for (; aside->at < aside->n; aside->at++)
        s->run->documents.ops->release(s->run->documents.self, &aside->items[aside->at].item);
    free(aside->items);
}

static void free_all(struct run_state *s) {
    free_aside(s, &s->alike);
    free_aside(s, &s->emptied);
    for (unsigned i = 0; s->slots && i < s->window; i++)
        arena_free(&s->slots[i].arena);
    for (size_t i = 0; i < s->n_sources; i++) {
        known_free(s->sources[i]);
        free(s->sources[i]);
    }
    free(s->sources);
    free(s->slots);
    hash_set_free(&s->failed);
    arena_free(&s->aside_arena);
    record_release(&s->rules);
    batch_free(&s->batch);
}

qa_status ingest_source(const struct ingest_run *run, qa_ingest_report *report, qa_error *err) {
    struct run_state s = {.run = run};
    struct index_statistics after = {0};
    qa_error first = {0};
    double started = clock_mono_ms();
    batch_init(&s.batch, run, report);
    arena_init(&s.aside_arena, ASIDE_MEMORY);
    qa_status status = run_all(&s, &first);
    if (!s.write_failed) { /* stopped or ended between documents: what is whole is kept */
        qa_error second = {0};
        qa_status committed = batch_commit(&s.batch, &second);
        if (committed != QA_OK && (status == QA_OK || status == QA_CANCELLED)) {
            status = committed;
            first = second;
        }
    }
    free_all(&s); /* ends what is open */
    if (status == QA_OK) {
        status = run->index.ops->statistics(run->index.self, &after, &first);
        report->total_documents = after.documents;
        report->total_chunks = after.chunks;
    }
    report->elapsed_ms += clock_mono_ms() - started;
    return status == QA_OK ? QA_OK : error_set(err, status, "%s", first.message);
}
