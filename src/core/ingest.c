/* Which sources a call of qa_ingest means, and one after the other through src/ingest/. */
#include "core/core.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INGEST_CEILING = 64 << 20 };

/* One call. */
struct call {
    qa *q;
    const qa_ingest_options *options;
    struct index_port index;
    struct arena *a;
    struct ingest_root *roots; /* what the index knows, and the sources done before in this call */
    size_t n_roots;
    json_t *metadata;          /* of --meta; NULL: none */
    qa_ingest_report *report;
};

/* How a source of the call is ingested. */
struct job {
    const char *collection, *url_rule;
    const char *const *include, *const *exclude;
    size_t n_include, n_exclude;
    json_t *metadata;          /* borrowed */
    bool has_acl;
    const char *const *acl;
    size_t n_acl;
    const struct ingest_rule *rules;
    size_t n_rules, chunk_target;
};

/* ---- An index that is not there, for a dry run ---- */

static qa_status no_known(void *self, const char *source, struct arena *a, struct index_known **out, size_t *n, qa_error *err) {
    (void)self, (void)source, (void)a, (void)err;
    *out = NULL;
    *n = 0;
    return QA_OK;
}
static qa_status no_source(void *self, const char *source, struct arena *a, struct index_source *out, qa_error *err) {
    (void)self, (void)a, (void)err;
    *out = (struct index_source){.source = source};
    return QA_OK;
}
static qa_status no_failure(void *self, const char *source, const char *path, struct arena *a, const char **cause, qa_error *err) {
    (void)self, (void)source, (void)path, (void)a, (void)err;
    *cause = NULL;
    return QA_OK;
}
static qa_status no_sources(void *self, struct arena *a, struct index_source **out, size_t *n, qa_error *err) {
    (void)self, (void)a, (void)err;
    *out = NULL;
    *n = 0;
    return QA_OK;
}
static qa_status no_statistics(void *self, struct index_statistics *out, qa_error *err) {
    (void)self, (void)err;
    *out = (struct index_statistics){0};
    return QA_OK;
}
static qa_status no_space(void *self, struct arena *a, struct index_space *out, qa_error *err) {
    (void)self, (void)a, (void)err;
    *out = (struct index_space){0};
    return QA_OK;
}
static const struct index_ops no_index = {.vector_space = no_space, .known_documents = no_known, .get_source = no_source, .find_failure = no_failure,
                                          .list_sources = no_sources, .statistics = no_statistics};

/* ---- */

static void notice(void *user, const char *path, const char *message) {
    const struct call *c = user;
    qa_ingest_event event = {.kind = QA_INGEST_NOTICE, .path = path, .message = message, .report = c->report};
    if (c->options->on_event)
        c->options->on_event(&event, c->options->user);
}

/* Roots that the index knows; and those that the configuration names and the index does not know yet, so that a path inside one of them is
 * ingested as part of that source, with its access rules, and never as a source of its own. */
static qa_status load_roots(struct call *c, size_t room, qa_error *err) {
    const struct config *config = c->q->config;
    struct index_source *known = NULL;
    size_t n = 0;
    qa_status status = c->index.ops->list_sources(c->index.self, c->a, &known, &n, err);
    if (status != QA_OK)
        return status;
    c->roots = arena_array(c->a, n + config->n_sources + room, sizeof *c->roots);
    if (!c->roots)
        return arena_error(c->a, err, "preparing to ingest");
    for (size_t i = 0; i < n; i++)
        if (known[i].root)
            c->roots[c->n_roots++] = (struct ingest_root){known[i].source, known[i].root};
    for (size_t i = 0; i < config->n_sources; i++) {
        bool in_index = false;
        for (size_t k = 0; k < n && !in_index; k++)
            in_index = known[k].root && strcmp(known[k].source, config->sources[i].name) == 0;
        char *resolved = in_index ? NULL : realpath(config->sources[i].path, NULL);
        char *root = arena_string(c->a, resolved);
        if (resolved && !root)
            status = arena_error(c->a, err, "preparing to ingest");
        else if (root)
            c->roots[c->n_roots++] = (struct ingest_root){config->sources[i].name, root};
        free(resolved);
    }
    return status;
}

static struct ingest_run make_run(const struct call *c, const struct job *job) {
    return (struct ingest_run){
        .index = c->index,
        .source = c->options->source,
        .collection = job->collection,
        .metadata = job->metadata,
        .has_acl = job->has_acl,
        .acl = job->acl,
        .n_acl = job->n_acl,
        .rules = job->rules,
        .n_rules = job->n_rules,
        .url_rule = job->url_rule,
        .prune = c->options->prune,
        .dry_run = c->options->dry_run,
        .jobs = c->options->jobs,
        .chunking = {.target = job->chunk_target},
        .on_event = c->options->on_event,
        .user = c->options->user,
        .cancel = &c->q->cancel,
    };
}

/* Once a rule keeps anybody out - stated for any source in the configuration, or noted with it in the index - silence is no answer: refreshing
 * a source without its --acl would publish it, and so would a new one beside it. What documents say themselves is no such rule, whether
 * it is one document or all: their source is told each time that it says nothing (tell_own_access of src/ingest/). */
static qa_status need_stated_access(const struct call *c, const struct job *job, const char *source, qa_error *err) {
    const struct config *config = c->q->config;
    struct index_source *known = NULL;
    const char *ruled = NULL;
    size_t n = 0;
    if (job->has_acl)
        return QA_OK;
    qa_status status = c->index.ops->list_sources(c->index.self, c->a, &known, &n, err); /* anew: the sources before may have changed it */
    if (status != QA_OK)
        return status;
    for (size_t i = 0; i < n && !ruled; i++)
        ruled = known[i].ruled ? known[i].source : NULL;
    for (size_t i = 0; i < config->n_sources && !ruled; i++) {
        const struct config_source *s = &config->sources[i];
        ruled = ingest_keeps_out(s->has_acl, s->acl, s->n_acl, s->n_rules) ? s->name : NULL;
    }
    if (!ruled)
        return QA_OK;
    return error_set(err, QA_BAD_USAGE, "not everyone may see the source \"%s\", so it must be said who may see %s%s%s: give --acl public (or groups, "
                     "signed-in, nobody), or access: default: in quaere.yaml", ruled, source ? "\"" : "", source ? source : "these documents",
                     source ? "\"" : "");
}

static qa_status ingest_folder(struct call *c, const struct job *job, const struct ingest_place *place, qa_error *err) {
    struct ingest_folder *folder = NULL;
    struct ingest_folder_options options = {
        .root = place->root,
        .only = place->only,
        .missing_ok = place->missing,
        .no_links = job->n_rules > 0,
        .include = job->include,
        .n_include = job->n_include,
        .exclude = job->exclude,
        .n_exclude = job->n_exclude,
        .notice = notice,
        .user = c,
        .cancel = &c->q->cancel,
    };
    qa_status status = ingest_open_folder(&options, &folder, err);
    if (status != QA_OK)
        return status;
    struct ingest_run run = make_run(c, job);
    run.source = place->source;
    run.root = place->root;
    run.documents = ingest_folder_port(folder);
    run.total = ingest_folder_total(folder);
    run.total_bytes = ingest_folder_total_bytes(folder);
    c->report->skipped += ingest_folder_skipped(folder);
    status = ingest_source(&run, c->report, err);
    ingest_close_folder(folder);
    c->roots[c->n_roots++] = (struct ingest_root){place->source, place->root};
    return status;
}

static qa_status ingest_lines(struct call *c, const struct job *job, qa_error *err) {
    struct ingest_jsonl *lines = NULL;
    qa_status status = need_stated_access(c, job, c->options->source, err);
    if (status != QA_OK)
        return status;
    status = ingest_open_jsonl(c->options->jsonl, &c->q->cancel, &lines, err);
    if (status != QA_OK)
        return status;
    struct ingest_run run = make_run(c, job);
    run.documents = ingest_jsonl_port(lines);
    status = ingest_source(&run, c->report, err);
    ingest_close_jsonl(lines);
    return status;
}

/* What the options say for every source; the configuration adds the rest. */
static struct job job_of_options(const struct call *c) {
    const qa_ingest_options *o = c->options;
    return (struct job){.collection = o->collection, .include = o->include, .n_include = o->n_include,
                        .exclude = o->exclude, .n_exclude = o->n_exclude, .metadata = c->metadata, .has_acl = o->n_acl > 0,
                        .acl = o->acl, .n_acl = o->n_acl};
}

static const struct config_source *find_configured(const struct call *c, const char *source) {
    const struct config *config = c->q->config;
    for (size_t i = 0; i < config->n_sources; i++)
        if (strcmp(config->sources[i].name, source) == 0)
            return &config->sources[i];
    return NULL;
}

/* One path. It belongs to a source, and when the configuration knows that source its settings hold; options go before them. */
static qa_status ingest_path(struct call *c, const char *path, const char *source, qa_error *err) {
    struct ingest_place place = {0};
    json_t *metadata = NULL;
    struct job job = job_of_options(c);
    qa_status status = ingest_find_place(c->a, path, source, c->roots, c->n_roots, &place, err);
    if (status != QA_OK)
        return status;
    const struct config_source *s = find_configured(c, place.source);
    if (s && s->metadata)
        status = json_parse(s->metadata, strlen(s->metadata), &metadata, err);
    if (status == QA_OK && metadata && c->metadata && json_object_update(metadata, c->metadata) != 0)
        status = error_no_memory(err, "preparing to ingest");
    if (status == QA_OK && s) {
        job.metadata = metadata ? metadata : c->metadata;
        job.url_rule = s->url;
        job.rules = s->rules;
        job.n_rules = s->n_rules;
        job.chunk_target = s->chunk_target;
        if (!job.collection)
            job.collection = s->collection;
        if (!job.n_include)
            job.include = s->include, job.n_include = s->n_include;
        if (!job.n_exclude)
            job.exclude = s->exclude, job.n_exclude = s->n_exclude;
        if (!job.has_acl)
            job.has_acl = s->has_acl, job.acl = s->acl, job.n_acl = s->n_acl;
    }
    if (status == QA_OK)
        status = need_stated_access(c, &job, place.source, err);
    if (status == QA_OK)
        status = ingest_folder(c, &job, &place, err);
    json_decref(metadata);
    return status;
}

static qa_status read_metadata(struct call *c, qa_error *err) {
    const qa_ingest_options *o = c->options;
    bool ok = true;
    if (o->n_meta && !(c->metadata = json_object()))
        return error_no_memory(err, "preparing to ingest");
    for (size_t i = 0; i < o->n_meta; i++) {
        const char *equals = strchr(o->meta[i], '=');
        char *key = equals && equals != o->meta[i] ? arena_copy(c->a, o->meta[i], (size_t)(equals - o->meta[i])) : NULL;
        if (!equals || equals == o->meta[i])
            return error_set(err, QA_BAD_USAGE, "metadata are given as KEY=VALUE, not \"%s\"", o->meta[i]);
        if (!key || utf8_valid_len(o->meta[i], strlen(o->meta[i])) != strlen(o->meta[i]))
            return key ? error_set(err, QA_BAD_USAGE, "metadata %zu are not UTF-8", i + 1) : arena_error(c->a, err, "preparing to ingest");
        json_put(c->metadata, key, json_text0(equals + 1), &ok);
    }
    return ok ? QA_OK : error_no_memory(err, "preparing to ingest");
}

static qa_status check_options(const struct call *c, qa_error *err) {
    const qa_ingest_options *o = c->options;
    qa_status status = QA_OK;
    if (o->jsonl && o->n_paths)
        return error_set(err, QA_BAD_USAGE, "give paths or JSON lines, not both");
    if (o->source && (o->n_paths > 1 || (!o->n_paths && !o->jsonl)))
        return error_set(err, QA_BAD_USAGE, "a name for the source goes with one path, and there are %zu", o->n_paths);
    if (!o->n_paths && !o->jsonl && !c->q->config->n_sources)
        return error_set(err, QA_BAD_USAGE, "nothing to ingest: name a folder, or write quaere.yaml with: quaere init");
    if (o->source)
        status = ingest_check_source_name(o->source, err);
    if (status == QA_OK && o->n_acl)
        status = ingest_check_acl(o->acl, o->n_acl, err);
    for (size_t i = 0; status == QA_OK && i < o->n_include; i++)
        status = ingest_check_glob(o->include[i], err);
    for (size_t i = 0; status == QA_OK && i < o->n_exclude; i++)
        status = ingest_check_glob(o->exclude[i], err);
    return status;
}

static qa_status open_target(struct call *c, qa_error *err) {
    if (c->options->dry_run) {
        if (access(c->q->index_path, F_OK) == 0)
            return core_read_index(c->q, &c->index, err);
        c->index = (struct index_port){.ops = &no_index};
        return QA_OK;
    }
    return core_write_index(c->q, &c->index, err);
}

static qa_status run_all(struct call *c, qa_error *err) {
    const qa_ingest_options *o = c->options;
    size_t jobs = o->n_paths ? o->n_paths : c->q->config->n_sources;
    qa_status status = check_options(c, err);
    if (status == QA_OK)
        status = read_metadata(c, err);
    if (status == QA_OK)
        status = open_target(c, err);
    if (status == QA_OK)
        status = load_roots(c, jobs, err);
    if (status != QA_OK)
        return status;
    if (o->jsonl) {
        struct job job = job_of_options(c);
        return ingest_lines(c, &job, err);
    }
    for (size_t i = 0; i < jobs && status == QA_OK; i++) {
        const struct config_source *s = o->n_paths ? NULL : &c->q->config->sources[i];
        status = s ? ingest_path(c, s->path, s->name, err) : ingest_path(c, o->paths[i], o->source, err);
    }
    return status;
}

/* Vectors of all chunks that have none. Without an embedder the index stays what it is: words. */
static qa_status embed(struct call *c, qa_error *err) {
    struct index_space space = {0};
    struct embedder_port *embedder = NULL;
    const qa_ingest_options *o = c->options;
    if (o->dry_run || o->no_embed)
        return QA_OK;
    qa_status status = c->index.ops->vector_space(c->index.self, c->a, &space, err);
    if (status == QA_OK && space.dimensions && !space.pending)
        return QA_OK; /* nothing to load a model for */
    if (status == QA_OK)
        status = core_open_embedder(c->q, space.name, &embedder, err);
    if (status == QA_OK && embedder) {
        struct ingest_embedding run = {.index = c->index, .embedder = *embedder, .on_event = o->on_event, .user = o->user, .cancel = &c->q->cancel};
        status = ingest_embed(&run, c->report, err);
    } else if (status == QA_OK && space.dimensions && !c->q->embedder_choice.none) {
        qa_error said = {0};
        core_other_embedder(&space, NULL, &said);
        notice(c, NULL, said.message);
    }
    if (status == QA_OK || status == QA_CANCELLED)
        return status;
    return error_prefix(err, status, "the documents can be found by their words, but not all have their vectors: ");
}

static void count(struct call *c) {
    struct index_statistics statistics = {0};
    struct index_space space = {0};
    if (!c->index.ops)
        return;
    if (c->index.ops->statistics(c->index.self, &statistics, NULL) == QA_OK) {
        c->report->total_documents = statistics.documents;
        c->report->total_chunks = statistics.chunks;
    }
    if (c->index.ops->vector_space(c->index.self, c->a, &space, NULL) == QA_OK) {
        c->report->has_vectors = space.dimensions > 0;
        c->report->vectors_pending = space.dimensions ? space.pending : 0;
    }
}

qa_status qa_ingest(qa *q, const qa_ingest_options *options, qa_ingest_report *report, qa_error *err) {
    qa_ingest_report ignored;
    struct arena a;
    arena_init(&a, INGEST_CEILING);
    struct call c = {.q = q, .options = options, .a = &a, .report = report ? report : &ignored};
    *c.report = (qa_ingest_report){0};
    double started = clock_mono_ms();
    qa_status status = run_all(&c, err);
    if (status == QA_OK)
        status = embed(&c, err);
    core_finish(q, status); /* before counting: a cancelled run has counts too */
    count(&c);
    c.report->elapsed_ms = clock_mono_ms() - started;
    json_decref(c.metadata);
    arena_free(&a);
    return status;
}

/* Some embedders open and give nothing that can be used: better seen before all vectors are dropped for them. */
static qa_status try_embedder(qa *q, const struct embedder_port *e, qa_error *err) {
    static const struct embedder_text text = {.text = "documentation", .len = sizeof "documentation" - 1};
    float *vector = calloc(e->dimensions, sizeof *vector);
    if (!vector)
        return error_no_memory(err, "trying the embedder");
    qa_status status = e->ops->embed(e->self, EMBEDDER_PASSAGE, &text, 1, &q->cancel, vector, err);
    free(vector);
    return status;
}

qa_status qa_index_reembed(qa *q, void (*on_event)(const qa_ingest_event *event, void *user), void *user, qa_ingest_report *report, qa_error *err) {
    qa_ingest_report ignored;
    struct index_port index = {0};
    struct embedder_port *embedder = NULL;
    double started = clock_mono_ms();
    report = report ? report : &ignored;
    *report = (qa_ingest_report){0};
    qa_status status = core_open_embedder(q, NULL, &embedder, err); /* before anything is forgotten */
    if (status == QA_OK && !embedder && q->embedder_choice.none)
        status = error_set(err, QA_BAD_USAGE, "no embedder is to be used (option, QUAERE_EMBEDDER or quaere.yaml: \"none\"), and vectors are made by one: name it "
                           "instead of none");
    if (status == QA_OK && !embedder)
        status = error_set(err, QA_NOT_FOUND, "there is no embedder; get one with: quaere model pull %s", CORE_EMBEDDER);
    if (status == QA_OK)
        status = try_embedder(q, embedder, err);
    if (status == QA_OK)
        status = core_write_index(q, &index, err);
    if (status == QA_OK)
        status = index.ops->begin(index.self, err);
    if (status == QA_OK) {
        status = index.ops->drop_vectors(index.self, err);
        if (status == QA_OK) /* in the same step, so that a stopped run is continued with this embedder */
            status = index.ops->use_space(index.self, embedder->name, embedder->fingerprint, embedder->dimensions, err);
        if (status == QA_OK)
            status = index.ops->commit(index.self, err);
        if (status != QA_OK)
            index.ops->rollback(index.self);
    }
    if (status == QA_OK) {
        struct ingest_embedding run = {.index = index, .embedder = *embedder, .on_event = on_event, .user = user, .cancel = &q->cancel};
        status = ingest_embed(&run, report, err);
        if (status != QA_OK && status != QA_CANCELLED)
            error_prefix(err, status, "the vectors of before are dropped and not all are made anew, so words alone are searched until they are: ");
    }
    report->elapsed_ms = clock_mono_ms() - started;
    return core_finish(q, status);
}
