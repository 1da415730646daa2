/* bench_vectors [CHUNKS [DIMENSIONS [FOLDER]]]: how fast vectors are stored and searched, with random unit vectors (seed 1) in an index
 * made for it in FOLDER (default: TMPDIR or /tmp) and removed afterwards. Defaults: 11000 chunks, 384 dimensions.
 *
 * "A new process" is a child that has opened nothing before; its files are in the system's cache. Medians of processor time: what else the
 * machine does shows less in it. */
#include "store/store.h"
#include "store/store_vectors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNKS_OF_DOCUMENT = 8, BATCH = 64, RUNS = 15, K = 10 };

static uint64_t seed = 1;
static size_t chunks = 11000, dimensions = 384;
static char path[300];

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double uniform(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) * 0x1p-53;
}

static void random_vector(float *v) {
    double square = 0;
    for (size_t i = 0; i < dimensions; i++) {
        v[i] = (float)(sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform()));
        square += (double)v[i] * v[i];
    }
    for (size_t i = 0; i < dimensions; i++)
        v[i] = (float)(v[i] / sqrt(square));
}

static void need(qa_status status, const qa_error *err) {
    if (status == QA_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static void put_document(const struct index_port *p, size_t number, qa_error *err) {
    char name[40], text[60];
    struct textmap_writer w[CHUNKS_OF_DOCUMENT];
    struct index_chunk_record c[CHUNKS_OF_DOCUMENT] = {0};
    int n = snprintf(text, sizeof text, "Passage of document %zu about heron %zu.", number, number % 97);
    snprintf(name, sizeof name, "d%zu.md", number);
    for (int i = 0; i < CHUNKS_OF_DOCUMENT; i++) {
        textmap_begin(&w[i], 0, 1 << 12);
        textmap_mark(&w[i], UNIT_PARAGRAPH);
        textmap_copy(&w[i], text, 0, (size_t)n);
        need(textmap_finish(&w[i], err), err);
        c[i] = (struct index_chunk_record){.end = (uint64_t)n, .plain = w[i].plain.data, .plain_len = w[i].plain.len,
                                           .map = (const uint8_t *)w[i].ops.data, .map_len = w[i].ops.len};
    }
    struct index_document_record r = {.source = "bench", .path = name, .title = "T", .metadata = "{}", .restricted = number % 10 == 0,
                                      .collection = number % 100 == 0 ? "few" : "many", .hash = hash_bytes(text, (size_t)n), .bytes = text,
                                      .len = (size_t)n, .chunks = c, .n_chunks = CHUNKS_OF_DOCUMENT};
    need(p->ops->put_document(p->self, &r, err), err);
    for (int i = 0; i < CHUNKS_OF_DOCUMENT; i++)
        textmap_free(&w[i]);
}

static void make_index(void) {
    struct store_index *s;
    qa_error err;
    float *v = malloc(BATCH * dimensions * sizeof *v);
    double putting = 0;
    need(store_open_index(path, STORE_WRITE, NULL, &s, &err), &err);
    struct index_port p = store_index_port(s);
    need(p.ops->begin(p.self, &err), &err);
    for (size_t i = 0; i < chunks / CHUNKS_OF_DOCUMENT; i++)
        put_document(&p, i, &err);
    need(p.ops->use_space(p.self, "random", "seed 1", dimensions, &err), &err);
    need(p.ops->commit(p.self, &err), &err);
    for (uint64_t after = 0;;) {
        struct arena a;
        struct index_pending *list;
        struct hash128 keys[BATCH];
        uint64_t ids[BATCH];
        size_t n = 0;
        arena_init(&a, 64 << 20);
        double start = now_ms();
        need(p.ops->begin(p.self, &err), &err);
        for (int batch = 0; batch < 4; batch++) {
            need(p.ops->pending_chunks(p.self, after, BATCH, &a, &list, &n, &err), &err);
            putting += now_ms() - start;
            for (size_t i = 0; i < n; i++) {
                after = ids[i] = list[i].chunk;
                keys[i] = hash_bytes(&ids[i], sizeof ids[i]);
                random_vector(v + i * dimensions);
            }
            start = now_ms();
            need(p.ops->put_vectors(p.self, ids, keys, v, n, &err), &err);
        }
        need(p.ops->commit(p.self, &err), &err);
        putting += now_ms() - start;
        arena_free(&a);
        if (n == 0)
            break;
    }
    store_close_index(s);
    printf("%-62s %9.2f\n", "ms to find pending and put vectors, a thousand chunks", putting * 1000 / (double)chunks);
    free(v);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n) {
    qsort(v, n, sizeof *v, compare);
    return v[n / 2];
}

struct times {
    double open, first, second;
};

static double search(const struct index_port *p, const struct index_scope *scope, size_t k) {
    struct arena a;
    struct index_candidate *c;
    struct index_space space;
    size_t n;
    qa_error err;
    float *v = malloc(dimensions * sizeof *v);
    random_vector(v);
    arena_init(&a, 64 << 20);
    double start = now_ms();
    need(p->ops->vector_space(p->self, &a, &space, &err), &err);
    need(p->ops->vector_candidates(p->self, v, scope, k, &a, &c, &n, &err), &err);
    double took = now_ms() - start;
    arena_free(&a);
    free(v);
    return took;
}

/* In a child, over a pipe. */
static struct times new_process(void) {
    int ends[2];
    struct times t = {0};
    if (pipe(ends) != 0)
        exit(1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct store_index *s;
        qa_error err;
        double start = now_ms();
        need(store_open_index(path, STORE_READ, NULL, &s, &err), &err);
        t.open = now_ms() - start;
        struct index_port p = store_index_port(s);
        t.first = search(&p, NULL, K);
        t.second = search(&p, NULL, K);
        _exit(write(ends[1], &t, sizeof t) == sizeof t ? 0 : 1);
    }
    if (read(ends[0], &t, sizeof t) != sizeof t)
        exit(1);
    close(ends[0]);
    close(ends[1]);
    waitpid(child, NULL, 0);
    return t;
}

static void report(const char *what, const struct index_port *p, const struct index_scope *scope, size_t k) {
    double v[RUNS];
    search(p, scope, k);
    for (int i = 0; i < RUNS; i++)
        v[i] = search(p, scope, k);
    printf("%-62s %9.2f\n", what, median(v, RUNS));
}

int main(int argc, char **argv) {
    double open[RUNS], first[RUNS], second[RUNS];
    struct store_index *s;
    qa_error err;
    const char *folder = argc > 3 ? argv[3] : getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    chunks = argc > 1 ? strtoul(argv[1], NULL, 10) : chunks;
    dimensions = argc > 2 ? strtoul(argv[2], NULL, 10) : dimensions;
    snprintf(path, sizeof path, "%s/quaere-bench-XXXXXX", folder);
    if (!mkdtemp(path)) {
        perror(path);
        return 1;
    }
    char *end = strchr(path, '\0');
    strcpy(end, "/index.db");
    printf("%zu chunks, %zu dimensions, the best %d; milliseconds\n", chunks, dimensions, K);
    make_index();
    for (int i = 0; i < RUNS; i++) {
        struct times t = new_process();
        open[i] = t.open, first[i] = t.first, second[i] = t.second;
    }
    printf("%-62s %9.2f\n%-62s %9.2f\n%-62s %9.2f\n", "a new process: open", median(open, RUNS), "a new process: the first search",
           median(first, RUNS), "a new process: the second", median(second, RUNS));
    need(store_open_index(path, STORE_READ, NULL, &s, &err), &err);
    struct index_port p = store_index_port(s);
    struct caller nobody = {0};
    report("warm", &p, NULL, K);
    report("warm, the best 100", &p, NULL, 100);
    report("warm, a caller who may see nine tenths", &p, &(struct index_scope){.caller = &nobody}, K);
    report("warm, a collection of one hundredth", &p, &(struct index_scope){.collection = "few"}, K);
    double start = now_ms();
    need(store_check_index(s, &err), &err);
    printf("%-62s %9.2f\n", "check of the whole index", now_ms() - start);
    store_close_index(s);
    unlink(path);
    static const char *const beside[] = {"-wal", "-shm"};
    for (size_t i = 0; i < 2; i++) {
        strcpy(end + 9, beside[i]);
        unlink(path);
    }
    *end = '\0';
    return rmdir(path) == 0 ? 0 : 1;
}
