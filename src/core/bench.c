/* One row after the other, each on an embedder opened for it: its loading, a warm-up, batches over the texts until the time is over, then a question many times. Rates are
 * medians over batches, so that what else happens on the machine now and then does not show.
 *
 * The peak of memory is the process's own, which the kernel keeps and forgets when it is told to; memory that the row before gave back is
 * handed to the kernel first. A child process for each row would say the same and could not be cancelled or report its progress as simply. */
#include "core/bench.h"
#include "base/clock.h"
#include "base/file.h"
#include "embed/embed.h"
#include "llm/llm.h"
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    MEMORY = 64 << 20,      /* of the texts */
    BATCH = 32,             /* texts, and as many blocks of the encoder or more */
    BATCH_A_THREAD = 16,    /* ... at least, so that threads end at about the same time */
    BATCHES_LEAST = 3, BATCHES_MOST = 4096,
    QUESTIONS_LEAST = 5, QUESTIONS_MOST = 201,
};
static const double QUESTIONS_MS = 1000;
static const char question[] = "How can I change the time limit of jobs?"; /* 12 tokens of English BERT, markers included */
static const char *const precisions[] = {[EMBED_INT8] = "int8", [EMBED_BF16] = "bf16", [EMBED_F32] = "f32"};
enum { PRECISIONS = 3 };

struct row {
    const char *precision; /* NULL: llama.cpp, with the weights of the file */
    char runs[64];
    size_t threads, batches, peak;
    double load_ms, tokens_per_second, texts_per_second, question_ms; /* 0: not measured */
};
struct bench {
    qa *q;
    const struct core_bench *what;
    struct llm_options model;
    struct embedder_text *texts;
    size_t n_texts, *tokens, all_tokens, question_tokens; /* tokens: by text */
    size_t dimensions, context;
    float *vectors;
    const char *notice;
    struct row rows[(PRECISIONS + 1) * CORE_BENCH_MAX_LIST];
    size_t n_rows, planned;
    bool forgets;        /* the kernel forgets a peak when told to */
};

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}
static double median(double *v, size_t n) {
    qsort(v, n, sizeof *v, by_value);
    return n ? v[n / 2] : 0;
}

/* ---- Memory ---- */

static void forget_peak(struct bench *b) {
    malloc_trim(0);
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    b->forgets = fd >= 0 && write(fd, "5", 1) == 1;
    if (fd >= 0)
        close(fd);
}

static size_t read_peak(void) {
    unsigned long long kilobytes = 0;
    char line[200];
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %llu kB", &kilobytes) != 1) {}
    if (f)
        fclose(f);
    return (size_t)kilobytes * 1024;
}

/* ---- A row ---- */

/* `spent`: milliseconds in this row. */
static void show(const struct bench *b, const struct row *r, double spent) {
    char name[64];
    double a_row = b->what->seconds + QUESTIONS_MS / 1000, here = spent / 1000 < a_row ? spent / 1000 : a_row;
    if (!b->what->show)
        return;
    snprintf(name, sizeof name, "%s with %zu thread%s", r->precision ? r->precision : "llama.cpp", r->threads, r->threads == 1 ? "" : "s");
    b->what->show(b->what->user, name, (uint64_t)((double)b->n_rows * a_row + here), (uint64_t)((double)b->planned * a_row));
}

static qa_status open_row(const struct bench *b, const struct row *r, enum embed_precision precision, struct embedder_port *port, qa_error *err) {
    struct llm_options llm = b->model;
    const struct embed_options own = {.path = llm.path, .name = llm.name, .fingerprint = llm.fingerprint, .prefixes = llm.prefixes, .context = llm.context,
                                      .threads = r->threads, .precision = precision};
    llm.threads = (unsigned)r->threads;
    return r->precision ? embed_open(&own, port, err) : llm_open_embedder(&llm, port, err);
}

static qa_status embed(const struct bench *b, const struct embedder_port *port, size_t from, size_t n, qa_error *err) {
    return port->ops->embed(port->self, EMBEDDER_PASSAGE, b->texts + from, n, &b->q->cancel, b->vectors, err);
}

static qa_status count_all(struct bench *b, const struct embedder_port *port, qa_error *err) {
    qa_status status = port->ops->count_tokens(port->self, question, strlen(question), &b->question_tokens, err);
    b->all_tokens = 0;
    for (size_t i = 0; status == QA_OK && i < b->n_texts; i++) {
        status = port->ops->count_tokens(port->self, b->texts[i].text, b->texts[i].len, &b->tokens[i], err);
        b->all_tokens += b->tokens[i];
    }
    b->dimensions = port->dimensions;
    b->context = port->context;
    return status;
}

static qa_status measure_texts(const struct bench *b, const struct embedder_port *port, struct row *r, qa_error *err) {
    static const size_t least = BATCHES_LEAST;
    double rates[BATCHES_MOST], spent = 0, wanted = b->what->seconds * 1000;
    size_t size = r->threads * BATCH_A_THREAD > BATCH ? r->threads * BATCH_A_THREAD : BATCH, from = 0;
    if (size > b->n_texts)
        size = b->n_texts;
    qa_status status = embed(b, port, 0, size, err); /* memory is made, pages are read */
    while (status == QA_OK && r->batches < BATCHES_MOST && (r->batches < least || (spent < wanted && !clock_fixed()))) {
        size_t n = from + size <= b->n_texts ? size : b->n_texts - from, tokens = 0;
        for (size_t i = 0; i < n; i++)
            tokens += b->tokens[from + i];
        double began = clock_mono_ms();
        status = embed(b, port, from, n, err);
        double took = clock_mono_ms() - began;
        rates[r->batches++] = took > 0 ? (double)tokens / took * 1000 : 0;
        spent += took;
        from = from + n < b->n_texts ? from + n : 0;
        show(b, r, spent);
    }
    r->tokens_per_second = median(rates, r->batches);
    r->texts_per_second = b->all_tokens ? r->tokens_per_second * (double)b->n_texts / (double)b->all_tokens : 0;
    return status;
}

static qa_status measure_question(const struct bench *b, const struct embedder_port *port, struct row *r, qa_error *err) {
    const struct embedder_text text = {.text = question, .len = strlen(question)};
    double times[QUESTIONS_MOST], spent = 0;
    size_t n = 0;
    qa_status status = port->ops->embed(port->self, EMBEDDER_QUERY, &text, 1, &b->q->cancel, b->vectors, err);
    while (status == QA_OK && n < QUESTIONS_MOST && (n < QUESTIONS_LEAST || (spent < QUESTIONS_MS && !clock_fixed()))) {
        double began = clock_mono_ms();
        status = port->ops->embed(port->self, EMBEDDER_QUERY, &text, 1, &b->q->cancel, b->vectors, err);
        spent += times[n++] = clock_mono_ms() - began;
    }
    r->question_ms = median(times, n);
    return status;
}

/* A precision that this processor has no products for is left out, unless it was asked for by its name. */
static bool same_as_f32(const struct bench *b, enum embed_precision precision, const struct row *r) {
    return r->precision && !b->what->precisions && precision != EMBED_F32 && strncmp(r->runs, precisions[EMBED_F32], strlen(precisions[EMBED_F32])) == 0;
}

static qa_status run_row(struct bench *b, const char *name, enum embed_precision precision, size_t threads, qa_error *err) {
    struct row *r = &b->rows[b->n_rows];
    struct embedder_port port = {0};
    *r = (struct row){.precision = name, .threads = threads};
    show(b, r, 0);
    forget_peak(b);
    double began = clock_mono_ms();
    qa_status status = open_row(b, r, precision, &port, err);
    r->load_ms = clock_mono_ms() - began;
    if (status != QA_OK)
        return status;
    if (name)
        snprintf(r->runs, sizeof r->runs, "%s", embed_describe(&port));
    else
        snprintf(r->runs, sizeof r->runs, "llama.cpp %s", llm_version());
    bool kept = !same_as_f32(b, precision, r);
    if (kept && !b->vectors)
        b->vectors = calloc(b->n_texts, port.dimensions * sizeof *b->vectors);
    if (kept)
        status = b->vectors ? QA_OK : error_no_memory(err, "measuring");
    if (kept && status == QA_OK && !b->all_tokens)
        status = count_all(b, &port, err);
    if (kept && status == QA_OK)
        status = measure_texts(b, &port, r, err);
    if (kept && status == QA_OK)
        status = measure_question(b, &port, r, err);
    if (b->forgets || !b->n_rows)
        r->peak = read_peak();
    port.ops->close(port.self);
    if (!kept)
        b->notice = "this processor has no products of 16-bit floats, so bf16 runs as f32 and is left out";
    b->n_rows += kept;
    b->planned -= !kept;
    return status;
}

/* ---- All rows ---- */

/* Another family: llama.cpp runs it, and it is measured the way it will be used. Only opening tells. */
static qa_status choose_engine(struct bench *b, bool *llama, qa_error *err) {
    struct embedder_port port = {0};
    const struct embed_options own = {.path = b->model.path, .name = b->model.name, .fingerprint = b->model.fingerprint, .prefixes = b->model.prefixes,
                                      .context = b->model.context, .threads = 1};
    qa_error why = {0};
    qa_status status = b->what->llama ? QA_UNSUPPORTED : embed_open(&own, &port, &why);
    if (status == QA_OK)
        port.ops->close(port.self);
    *llama = status == QA_UNSUPPORTED;
    if (*llama && b->what->precisions)
        return error_set(err, QA_BAD_USAGE, "%s runs through llama.cpp, with the weights as its file has them; a precision belongs to models that our own encoder runs",
                         b->model.name);
    if (status != QA_OK && !*llama)
        return error_set(err, status, "%s", why.message);
    if (!*llama)
        return QA_OK;
    if (!b->what->llama)
        b->notice = "our own encoder does not know this family of models, so it runs through llama.cpp";
    /* A stranger's file is tried in a process of its own first, which is no part of its loading. */
    status = b->model.trusted ? QA_OK : llm_open_embedder(&b->model, &port, err);
    if (status == QA_OK && !b->model.trusted)
        port.ops->close(port.self);
    b->model.trusted = true;
    return status;
}

static qa_status run_all(struct bench *b, qa_error *err) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t usual[2] = {1, processors > 1 ? (size_t)processors : 1}, n = b->what->n_threads;
    const size_t *threads = n ? b->what->threads : usual;
    bool llama = false;
    if (usual[1] > CORE_BENCH_MAX_THREADS)
        usual[1] = CORE_BENCH_MAX_THREADS;
    if (!n)
        n = usual[1] > 1 ? 2 : 1;
    qa_status status = choose_engine(b, &llama, err);
    unsigned wanted = llama ? 0 : b->what->precisions ? b->what->precisions : (1u << PRECISIONS) - 1;
    b->planned = n * (llama ? 1 : (size_t)__builtin_popcount(wanted));
    for (size_t i = 0; status == QA_OK && llama && i < n; i++)
        status = run_row(b, NULL, EMBED_F32, threads[i], err);
    for (unsigned p = 0; p < PRECISIONS; p++)
        for (size_t i = 0; status == QA_OK && wanted & 1u << p && i < n; i++)
            status = run_row(b, precisions[p], (enum embed_precision)p, threads[i], err);
    return status;
}

/* ---- What is told ---- */

static json_t *measured(double v, int digits) { return v > 0 ? json_round(v, digits) : json_null(); }

static json_t *tell_machine(bool *ok) {
    struct utsname name = {0};
    char line[400], system[200] = "", *processor = NULL;
    double load = 0;
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && !processor && fgets(line, sizeof line, f))
        if (strncmp(line, "model name", 10) == 0 && (processor = strchr(line, ':')) != NULL) {
            processor += 1 + strspn(processor + 1, " \t");
            processor[strcspn(processor, "\n")] = '\0';
        }
    if (f)
        fclose(f);
    if (uname(&name) == 0)
        snprintf(system, sizeof system, "%.90s %.90s", name.sysname, name.release);
    json_t *o = json_object();
    json_put(o, "processor", json_text0(processor ? processor : name.machine), ok);
    json_put(o, "processors", json_integer(sysconf(_SC_NPROCESSORS_ONLN)), ok);
    json_put(o, "system", json_text0(system), ok);
    json_put(o, "load", getloadavg(&load, 1) == 1 ? json_round(load, 2) : json_null(), ok);
    return o;
}

static json_t *tell_row(const struct row *r, bool *ok) {
    json_t *o = json_object();
    json_put(o, "precision", json_text0(r->precision), ok);
    json_put(o, "runs", json_text0(r->runs), ok);
    json_put(o, "threads", json_integer((json_int_t)r->threads), ok);
    json_put(o, "tokens_per_second", measured(r->tokens_per_second, 0), ok);
    json_put(o, "texts_per_second", measured(r->texts_per_second, 1), ok);
    json_put(o, "batches", json_integer((json_int_t)r->batches), ok);
    json_put(o, "question_ms", measured(r->question_ms, 3), ok);
    json_put(o, "load_ms", measured(r->load_ms, 1), ok);
    json_put(o, "peak_bytes", r->peak ? json_integer((json_int_t)r->peak) : json_null(), ok);
    return o;
}

static qa_status tell(const struct bench *b, json_t *machine, bool ok, char **json, qa_error *err) {
    json_t *o = json_object(), *model = json_object(), *texts = json_object(), *asked = json_object(), *rows = json_array();
    char *program = NULL;
    if (asprintf(&program, "quaere %s", qa_version()) < 0)
        program = NULL;
    json_put(model, "name", json_text0(b->model.name), &ok);
    json_put(model, "path", json_text0(b->model.path), &ok);
    json_put(model, "dimensions", json_integer((json_int_t)b->dimensions), &ok);
    json_put(model, "context", json_integer((json_int_t)b->context), &ok);
    json_put(texts, "from", json_text0(b->what->texts ? b->what->texts : "built in"), &ok);
    json_put(texts, "count", json_integer((json_int_t)b->n_texts), &ok);
    json_put(texts, "tokens", json_integer((json_int_t)b->all_tokens), &ok);
    json_put(asked, "text", json_string(question), &ok);
    json_put(asked, "tokens", json_integer((json_int_t)b->question_tokens), &ok);
    for (size_t i = 0; i < b->n_rows; i++)
        json_add(rows, tell_row(&b->rows[i], &ok), &ok);
    json_put(o, "machine", machine, &ok);
    json_put(o, "program", program ? json_text0(program) : NULL, &ok);
#ifdef __OPTIMIZE__
    json_put(o, "optimised", json_true(), &ok);
#else
    json_put(o, "optimised", json_false(), &ok);
#endif
    json_put(o, "model", model, &ok);
    json_put(o, "texts", texts, &ok);
    json_put(o, "question", asked, &ok);
    json_put(o, "seconds", json_round(b->what->seconds, 1), &ok);
    json_put(o, "notice", json_text0(b->notice), &ok);
    json_put(o, "rows", rows, &ok);
    free(program);
    return core_json_result(o, ok, json, err);
}

qa_status core_bench_embed(qa *q, const struct core_bench *what, char **json, qa_error *err) {
    struct arena a;
    bool ok = true;
    *json = NULL;
    arena_init(&a, MEMORY);
    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        return error_no_memory(err, "measuring");
    *b = (struct bench){.q = q, .what = what};
    json_t *machine = tell_machine(&ok); /* before our own load is in it */
    qa_status status = core_find_embedder(q, &a, what->model, &b->model, err);
    if (status == QA_OK)
        status = core_bench_texts(what->texts, &q->cancel, &a, &b->texts, &b->n_texts, err);
    if (status == QA_OK && !(b->tokens = arena_array(&a, b->n_texts, sizeof *b->tokens)))
        status = arena_error(&a, err, "measuring");
    if (status == QA_OK)
        status = run_all(b, err);
    if (status == QA_OK)
        status = tell(b, machine, ok, json, err);
    else
        json_decref(machine);
    free(b->vectors);
    free(b);
    arena_free(&a);
    return core_finish(q, status);
}
