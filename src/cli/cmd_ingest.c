#include "base/progress.h"
#include "cli/show_json.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    {"source", 's', "NAME", "name of the source (default: from the path)"},
    {"jsonl", 0, "FILE", "documents as JSON lines, - for standard input: {source, path, title?, url?, acl?, metadata?, content or file, deleted?}"},
    {"include", 0, "GLOB", "only these paths within the source (repeatable)"},
    {"exclude", 0, "GLOB", "not these (repeatable)"},
    {"meta", 0, "KEY=VALUE", "metadata for every document of this run (repeatable)"},
    {"acl", 0, "GROUP,...", "groups that may see these documents; public, signed-in or nobody"},
    {"collection", 0, "NAME", "put the source into this set"},
    {"prune", 0, "WHEN", "forget what is gone: guarded (default), force, never"},
    {"dry-run", 'n', NULL, "tell what would be done, change nothing"},
    {"jobs", 'j', "N", "readers (default: one for each processor)"},
    {"max-failures", 0, "N", "documents that may fail before the exit status is 4 (default 0)"},
    {"embedder", 0, "MODEL", "what makes the vectors: a name of 'quaere model list', a GGUF file, or none"},
    {"no-embed", 0, NULL, "no vectors now; a later run makes them"},
    {NULL, 0, NULL, NULL},
};

struct view {
    const struct cli *c;
    struct progress progress;
    size_t failures_shown;
    json_t *failures; /* with --json: all of them */
    bool ok;          /* memory sufficed so far */
    bool embedding;   /* documents are read; vectors are made */
};
enum { FAILURES_SHOWN = 20, SOON_DONE = 32 /* chunks that need no announcement */ };

/* The documents can be found from now on, which a person who waits for vectors may want to know. */
static void begin_embedding(struct view *v, const qa_ingest_event *e) {
    bool quiet = v->progress.quiet;
    v->embedding = true;
    progress_clear(&v->progress);
    if (!quiet && e->total > SOON_DONE)
        fprintf(stderr, "Read %llu document%s; their words can be found. %llu chunks get vectors now.\n", (unsigned long long)e->report->seen,
                e->report->seen == 1 ? "" : "s", (unsigned long long)e->total);
    progress_begin(&v->progress, quiet); /* the time left is that of the vectors alone */
}

static void on_event(const qa_ingest_event *e, void *user) {
    struct view *v = user;
    static const char *const words[] = {
        [QA_INGEST_ADDED] = "added",         [QA_INGEST_CHANGED] = "changed", [QA_INGEST_MOVED] = "moved",
        [QA_INGEST_FORGOTTEN] = "forgotten", [QA_INGEST_FAILED] = "failed",   [QA_INGEST_NOTICE] = "notice",
    };
    if (e->kind == QA_INGEST_PROGRESS) {
        char detail[96];
        snprintf(detail, sizeof detail, "%llu chunks, %.1f MB", (unsigned long long)e->report->chunks, (double)e->done_bytes / 1e6);
        progress_show(&v->progress, "Ingesting", e->done, e->total, "documents", detail);
        return;
    }
    if (e->kind == QA_INGEST_EMBEDDING) {
        if (!v->embedding)
            begin_embedding(v, e);
        cli_show_embedding(e, &v->progress);
        return;
    }
    bool failed = e->kind == QA_INGEST_FAILED;
    if (failed && v->failures) {
        json_t *o = json_object();
        json_put(o, "source", json_text0(e->source), &v->ok);
        json_put(o, "path", json_text0(e->path), &v->ok);
        json_put(o, "message", json_text0(e->message), &v->ok);
        json_add(v->failures, o, &v->ok);
    }
    if (failed && ++v->failures_shown > FAILURES_SHOWN && !v->c->verbose)
        return;
    if (!v->c->verbose && !failed && (v->c->quiet || e->kind != QA_INGEST_NOTICE) && !cli_has(v->c, "dry-run"))
        return;
    progress_clear(&v->progress);
    fputs(words[e->kind], stderr);
    bool source = e->source && *e->source, path = e->path && *e->path;
    fputs(source || path ? " " : "", stderr);
    if (source)
        cli_print_line(stderr, e->source);
    fputs(source && path ? ":" : "", stderr);
    if (path)
        cli_print_line(stderr, e->path);
    if (e->message) {
        fputs(e->kind == QA_INGEST_MOVED ? " (was " : ": ", stderr);
        cli_print_line(stderr, e->message);
        fputs(e->kind == QA_INGEST_MOVED ? ")" : "", stderr);
    }
    fputc('\n', stderr);
}

static int print_report_json(const struct view *v, const qa_ingest_report *r, bool was_stopped) {
    bool ok = v->ok;
    json_t *o = json_object();
    cli_put_count(o, "documents", r->seen, &ok);
    cli_put_count(o, "added", r->added, &ok);
    cli_put_count(o, "changed", r->changed, &ok);
    cli_put_count(o, "moved", r->moved, &ok);
    cli_put_count(o, "unchanged", r->unchanged, &ok);
    cli_put_count(o, "forgotten", r->forgotten, &ok);
    cli_put_count(o, "withheld", r->withheld, &ok);
    cli_put_count(o, "failed", r->failed, &ok);
    cli_put_count(o, "skipped", r->skipped, &ok);
    cli_put_count(o, "chunks", r->chunks, &ok);
    cli_put_count(o, "bytes", r->bytes, &ok);
    cli_put_count(o, "total_documents", r->total_documents, &ok);
    cli_put_count(o, "total_chunks", r->total_chunks, &ok);
    cli_put_count(o, "embedded", r->embedded, &ok);
    cli_put_count(o, "computed", r->computed, &ok);
    cli_put_count(o, "tokens", r->tokens, &ok);
    json_put(o, "embedding_ms", json_round(r->embedding_ms, 1), &ok);
    json_put(o, "has_vectors", json_boolean(r->has_vectors), &ok);
    cli_put_count(o, "vectors_pending", r->vectors_pending, &ok);
    json_put(o, "elapsed_ms", json_round(r->elapsed_ms, 1), &ok);
    json_put(o, "dry_run", json_boolean(cli_has(v->c, "dry-run")), &ok);
    json_put(o, "stopped", json_boolean(was_stopped), &ok);
    json_put(o, "failures", json_incref(v->failures), &ok);
    char *text = ok ? json_write(o, 2) : NULL;
    json_decref(o);
    if (!text)
        return cli_no_memory(v->c);
    puts(text);
    free(text);
    return 0;
}

static void print_report(const struct cli *c, const qa_ingest_report *r, const char *index) {
    if (c->quiet)
        return;
    const struct {
        const char *word;
        uint64_t n;
    } parts[] = {{"added", r->added},         {"changed", r->changed}, {"moved", r->moved}, {"unchanged", r->unchanged},
                 {"forgotten", r->forgotten}, {"failed", r->failed},   {"gone but kept", r->withheld}};
    cli_print_count(stdout, r->seen);
    fputs(r->seen == 1 ? " document: " : " documents: ", stdout);
    bool any = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].n)
            continue;
        fputs(any ? ", " : "", stdout);
        cli_print_count(stdout, parts[i].n);
        printf(" %s", parts[i].word);
        any = true;
    }
    printf("%s in %.2f s", any ? "" : "nothing to do", r->elapsed_ms / 1000);
    if (r->skipped)
        printf("; %llu %s skipped", (unsigned long long)r->skipped, r->skipped == 1 ? "file of another type" : "files of other types");
    if (cli_has(c, "dry-run")) {
        puts(" (dry run: nothing was written)");
        return;
    }
    fputs("\nThe index ", stdout);
    cli_print_line(stdout, index);
    fputs(" holds ", stdout);
    cli_print_count(stdout, r->total_documents);
    fputs(r->total_documents == 1 ? " document in " : " documents in ", stdout);
    cli_print_count(stdout, r->total_chunks);
    fputs(r->total_chunks == 1 ? " chunk" : " chunks", stdout);
    if (r->embedded) {
        fputs("; ", stdout);
        cli_print_count(stdout, r->embedded);
        fputs(r->embedded == 1 ? " got a vector" : " got their vectors", stdout);
        cli_print_rate(stdout, r);
    }
    if (r->vectors_pending) {
        fputs("; ", stdout);
        cli_print_count(stdout, r->vectors_pending);
        fputs(" without a vector yet: run quaere ingest again to make them", stdout);
    }
    fputs(".\n", stdout);
    bool first = r->added && r->added == r->total_documents;
    if (first && !r->has_vectors && !cli_has(c, "no-embed") && !cli_has(c, "embedder") && !c->quiet && isatty(STDERR_FILENO) == 1)
        fputs("Only words can be found; for vectors: quaere model pull all-MiniLM-L6-v2, then run this again.\n", stderr);
}

static bool read_prune(const struct cli *c, qa_prune *out) {
    static const char *const names[] = {"guarded", "force", "never"};
    const char *text = cli_value(c, "prune");
    for (int i = 0; text && i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (qa_prune)i;
            return true;
        }
    if (text)
        cli_usage_error(c, "--prune is guarded, force or never, not '%s'", text);
    return !text;
}

/* An empty list of groups is what "$UNSET" leaves behind, and would publish what somebody meant to keep. */
static int read_list(const struct cli *c, const char *name, bool split, const char *const **list, size_t *n) {
    *list = cli_values(c, name, split, n);
    if (cli_has(c, name) && !*list)
        return cli_no_memory(c);
    if (cli_has(c, name) && !*n)
        return cli_usage_error(c, "--%s is empty%s", name, strcmp(name, "acl") == 0 ? "; write public, signed-in, nobody or groups" : "");
    return 0;
}

static int finish(const struct view *v, qa *q, qa_status status, const qa_ingest_report *report, long max_failures, const qa_error *err) {
    bool was_stopped = status == QA_CANCELLED;
    if (status != QA_OK && !was_stopped)
        return cli_fail(v->c, err);
    if (was_stopped)
        fputs("quaere ingest: stopped; what was reported is safe, run it again to go on\n", stderr);
    if (v->c->json) {
        int printed = print_report_json(v, report, was_stopped);
        if (printed != 0)
            return printed;
    } else {
        print_report(v->c, report, qa_index_path(q));
    }
    return was_stopped ? cli_stopped_status() : report->failed > (uint64_t)max_failures ? 4 : 0;
}

static int run(struct cli *c) {
    qa *q = NULL;
    qa_error err = {0};
    qa_ingest_report report = {0};
    struct view view = {.c = c, .ok = true};
    long jobs = 0, max_failures = 0;
    qa_ingest_options o = {
        .paths = (const char *const *)c->arguments,
        .n_paths = (size_t)c->n_arguments,
        .jsonl = cli_value(c, "jsonl"),
        .source = cli_value(c, "source"),
        .collection = cli_value(c, "collection"),
        .dry_run = cli_has(c, "dry-run"),
        .no_embed = cli_has(c, "no-embed"),
        .on_event = on_event,
        .user = &view,
    };
    if (!cli_number(c, "jobs", 1, 64, &jobs) || !cli_number(c, "max-failures", 0, 1000000000, &max_failures) || !read_prune(c, &o.prune))
        return 2;
    if (o.jsonl && o.n_paths)
        return cli_usage_error(c, "give paths or --jsonl, not both");
    o.jobs = (unsigned)jobs;
    int exit_status = read_list(c, "include", false, &o.include, &o.n_include);
    if (exit_status == 0)
        exit_status = read_list(c, "exclude", false, &o.exclude, &o.n_exclude);
    if (exit_status == 0)
        exit_status = read_list(c, "meta", false, &o.meta, &o.n_meta);
    if (exit_status == 0)
        exit_status = read_list(c, "acl", true, &o.acl, &o.n_acl);
    if (exit_status == 0 && c->json && !(view.failures = json_array()))
        exit_status = cli_no_memory(c);
    if (exit_status == 0)
        exit_status = cli_open(c, true, &q);
    if (exit_status == 0) {
        progress_begin(&view.progress, c->quiet || c->json);
        cli_on_signal(q);
        qa_status status = qa_ingest(q, &o, &report, &err);
        progress_clear(&view.progress);
        if (view.failures_shown > FAILURES_SHOWN && !c->verbose)
            fprintf(stderr, "... and %zu more failed; --verbose lists all of them\n", view.failures_shown - FAILURES_SHOWN);
        exit_status = finish(&view, q, status, &report, max_failures, &err);
        cli_on_signal(NULL);
    }
    qa_close(q);
    json_decref(view.failures);
    cli_free_list((const char **)o.include);
    cli_free_list((const char **)o.exclude);
    cli_free_list((const char **)o.meta);
    cli_free_list((const char **)o.acl);
    return exit_status;
}

const struct cli_command cmd_ingest = {
    .name = "ingest",
    .arguments = "[PATH...]",
    .summary = "Read documents into the index, or bring it up to date.",
    .details = "Each PATH is a folder or a file and becomes a source of its own. Without one, every source of quaere.yaml is refreshed.\n"
               "Unchanged documents are skipped, changed ones replaced, renamed ones moved, and those that are gone forgotten: unless\n"
               "the folder is missing or empty or more than half of it vanished, which looks like a mistake; --prune=force then insists.\n"
               "A document that cannot be read is listed with the cause, its earlier version stays, and the others go on.\n\n"
               "It may be stopped at any time, and goes on where it was when run again. With --json all counts come as one object at the end, vectors\n"
               "among them: embedded (chunks that got one), computed (texts they were computed of), tokens, vectors_pending; docs/ingest.md lists them.",
    .example = "  quaere ingest docs/\n  quaere ingest --source guide --exclude 'drafts/**' ~/guide\n  my-connector | quaere ingest --jsonl -",
    .options = options,
    .min_arguments = 0,
    .max_arguments = -1,
    .run = run,
};
