/* bench_tokenizer MODEL.gguf FOLDER [PYTHON]: how fast the texts of a folder (.md, .mdx, .txt, up to 64 MB) become tokens,
 * in pieces of about 1,000 bytes as chunks are, on one thread. With a Python that has tokenizers (tools/reference-python
 * prints one), how fast that package is, on one thread too, with the same pieces.
 *
 * Medians of processor time over RUNS runs; texts and room for ids are in memory before. */
#include "base/file.h"
#include "base/utf8.h"
#include "embed/tokenizer.h"
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 9, PIECE = 1000 };
static const size_t MOST = 64 << 20;

static struct piece {
    const char *text;
    size_t len;
} *pieces;
static size_t n_pieces, bytes;
static const struct tokenizer *tokenizer;
static int32_t *ids;
static struct tokenizer_span *spans;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void need(qa_status status, const qa_error *err) {
    if (status == QA_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static void add_document(const char *text, size_t len) {
    for (size_t at = 0, n; at < len; at += n) {
        const char *blank = len - at > PIECE / 2 ? memmem(text + at + PIECE / 2, len - at - PIECE / 2, "\n\n", 2) : NULL;
        n = len - at <= PIECE ? len - at : blank && blank < text + at + PIECE ? (size_t)(blank - text) - at : utf8_floor(text + at, PIECE);
        if (n_pieces % 4096 == 0 && !(pieces = realloc(pieces, (n_pieces + 4096) * sizeof *pieces)))
            exit(1);
        pieces[n_pieces++] = (struct piece){text + at, n};
        bytes += n;
    }
}

static void read_folder(struct arena *a, char *folder) {
    qa_error err;
    FTS *walk = fts_open((char *[]){folder, NULL}, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; walk && (entry = fts_read(walk)) && bytes < MOST;) {
        char *text;
        size_t len;
        const char *dot = strrchr(entry->fts_name, '.');
        if (entry->fts_info != FTS_F || !dot || (strcmp(dot, ".md") != 0 && strcmp(dot, ".mdx") != 0 && strcmp(dot, ".txt") != 0))
            continue;
        need(file_read(a, entry->fts_path, MOST, &text, &len, &err), &err);
        add_document(text, len);
    }
    if (walk)
        fts_close(walk);
    if (!n_pieces) {
        fprintf(stderr, "%s: no documents in it\n", folder);
        exit(1);
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static size_t to_ids(const struct piece *p) { return tokenizer_tokens(tokenizer, p->text, p->len, p->len, ids, NULL); }
static size_t to_spans(const struct piece *p) { return tokenizer_tokens(tokenizer, p->text, p->len, p->len, ids, spans); }
static size_t to_count(const struct piece *p) { return tokenizer_count(tokenizer, p->text, p->len) - 2; }

static double measure(const char *what, size_t (*run)(const struct piece *)) {
    double took[RUNS];
    size_t tokens = 0;
    for (int i = -1; i < RUNS; i++) { /* one to warm up */
        double start = now();
        tokens = 0;
        for (size_t k = 0; k < n_pieces; k++)
            tokens += run(&pieces[k]);
        took[i < 0 ? 0 : i] = now() - start;
    }
    qsort(took, RUNS, sizeof *took, compare);
    double rate = (double)tokens / took[RUNS / 2];
    printf("%-28s %10zu tokens  %8.2f million tokens/s  %7.1f MB/s\n", what, tokens, rate * 1e-6, (double)bytes / took[RUNS / 2] * 1e-6);
    return rate;
}

/* The pieces, then their vocabulary, in two files that bench/reference/tokenizer_speed.py reads. */
static double measure_reference(const char *python, const char *model) {
    char path[300], command[9000], line[200] = "";
    snprintf(path, sizeof path, "%s/quaere-bench-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    for (size_t i = 0; f && i < n_pieces; i++) {
        uint32_t len = (uint32_t)pieces[i].len;
        fwrite(&len, sizeof len, 1, f);
        fwrite(pieces[i].text, 1, len, f);
    }
    if (!f || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    snprintf(command, sizeof command, "'%s' bench/reference/tokenizer_speed.py '%s' '%s' %d", python, model, path, RUNS);
    FILE *p = popen(command, "r");
    double seconds = 0, tokens = 0;
    char version[40] = "";
    bool read = p && fgets(line, sizeof line, p) && sscanf(line, "%39s %lf %lf", version, &tokens, &seconds) == 3;
    if (p)
        pclose(p);
    unlink(path);
    if (!read) {
        fprintf(stderr, "%s gave no figures; run this in the root of the checkout\n", command);
        exit(1);
    }
    printf("tokenizers %-17s %10.0f tokens  %8.2f million tokens/s  %7.1f MB/s\n", version, tokens, tokens / seconds * 1e-6,
           (double)bytes / seconds * 1e-6);
    return tokens / seconds;
}

static void print_machine(void) {
    char line[300], *name = NULL;
    struct utsname u;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !name && fgets(line, sizeof line, f))
        name = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
    if (f)
        fclose(f);
    if (name)
        name[strcspn(name, "\n")] = '\0';
    uname(&u);
    printf("machine: %s, %ld processors, %s %s\n", name ? name + 2 : u.machine, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
#ifdef __OPTIMIZE__
    printf("built: compiler " __VERSION__ ", optimised; %d runs\n", RUNS);
#else
    printf("built: compiler " __VERSION__ ", NOT optimised; %d runs\n", RUNS);
#endif
}

int main(int argc, char **argv) {
    struct arena a;
    struct model_gguf *g;
    struct tokenizer *t;
    qa_error err;
    if (argc < 3) {
        fprintf(stderr, "usage: bench_tokenizer MODEL.gguf FOLDER [PYTHON]\n");
        return 2;
    }
    arena_init(&a, 4 * MOST);
    need(model_gguf_open(argv[1], &g, &err), &err);
    double start = now();
    need(tokenizer_open(g, &t, &err), &err);
    double opened = now() - start;
    tokenizer = t;
    read_folder(&a, argv[2]);
    ids = malloc((2 * PIECE) * sizeof *ids);
    spans = malloc((2 * PIECE) * sizeof *spans);
    if (!ids || !spans)
        return 1;
    print_machine();
    printf("texts: %zu pieces, %zu bytes; opening the tokenizer: %.1f ms\n", n_pieces, bytes, opened * 1e3);
    double rate = measure("ids", to_ids);
    measure("ids and spans", to_spans);
    measure("count alone", to_count);
    if (argc > 3)
        printf("ids: %.1f times as fast\n", rate / measure_reference(argv[3], argv[1]));
    tokenizer_close(t);
    model_gguf_close(g);
    arena_free(&a);
    free(pieces);
    free(ids);
    free(spans);
    return 0;
}
