// The tokenizer against Hugging Face's `tokenizers`, id for id: every code point, a million random lines of
// tests/fake/hostile_text.c, and the pieces of real documents (QA_CORPUS: folders, colons between them; else the demo's).
// QA_REFERENCE_PYTHON: a Python that has the package; else tools/reference-python makes one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/utf8.h"
#include "embed/wordpiece.h"
#include "fake/fake_vocabulary.h"
#include "fake/hostile_text.h"
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 8192, BATCH_BYTES = 4 << 20, MILLION = 1000000, PIECE = 1000 };

static char python[4096];

struct pair { /* our tokenizer, and theirs at the other end of two pipes */
    const char *what;
    struct tokenizer *t;
    pid_t child;
    FILE *to, *from;
    bool want_spans;
    uint32_t lengths[BATCH], counts[BATCH];
    char *text;
    size_t n, bytes;
    uint64_t sum, texts, tokens, unknown, spans;
};

static void say_from(const char *variable, const char *command, char *out, size_t size) {
    const char *given = getenv(variable);
    if (given) {
        snprintf(out, size, "%s", given);
        return;
    }
    FILE *p = popen(command, "r");
    assert_non_null(p);
    if (!fgets(out, (int)size, p))
        fail_msg("%s said nothing", command);
    out[strcspn(out, "\n")] = '\0';
    assert_int_equal(pclose(p), 0);
}

static int find_python(void **state) {
    (void)state;
    say_from("QA_REFERENCE_PYTHON", "tools/reference-python", python, sizeof python);
    return 0;
}

static void put_numbers(FILE *f, const uint32_t *v, size_t n) { assert_int_equal(fwrite(v, sizeof *v, n, f), n); }
static void get_numbers(FILE *f, uint32_t *v, size_t n) {
    if (fread(v, sizeof *v, n, f) != n)
        fail_msg("%s with tests/full/wordpiece_reference.py ended early", python);
}

static void put_vocabulary(FILE *f, const struct model_gguf *g) {
    const struct model_gguf_entry *tokens = model_gguf_find(g, "tokenizer.ggml.tokens"), *types = model_gguf_find(g, "tokenizer.ggml.token_type");
    bool lower = true, strip = false, said = model_gguf_get_bool(g, "tokenizer.ggml.normalizer.strip_accents", &strip);
    const uint8_t *at = NULL;
    const char *text;
    size_t len;
    assert_true(model_gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", &lower));
    put_numbers(f, (uint32_t[]){lower, said ? strip : 2, (uint32_t)tokens->n}, 3);
    for (size_t i = 0; model_gguf_next_string(tokens, &at, &text, &len); i++) {
        uint32_t head[2] = {0, (uint32_t)len};
        memcpy(head, types->bytes + 4 * i, 4);
        put_numbers(f, head, 2);
        assert_int_equal(fwrite(text, 1, len, f), len);
    }
}

static void begin(struct pair *p, const char *what, const struct model_gguf *g) {
    int in[2], out[2];
    qa_error err = {0};
    *p = (struct pair){.what = what, .want_spans = true, .text = malloc(BATCH_BYTES)};
    assert_non_null(p->text);
    if (tokenizer_open(g, &p->t, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    p->child = fork();
    assert_true(p->child >= 0);
    if (p->child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(python, python, QA_SOURCE_DIR "/tests/full/wordpiece_reference.py", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    p->to = fdopen(in[1], "wb");
    p->from = fdopen(out[0], "rb");
    assert_true(p->to && p->from);
    put_vocabulary(p->to, g);
}

static void differ(const struct pair *p, const char *text, size_t len, const int32_t *ours, size_t n, const uint32_t *theirs, size_t n_theirs) {
    print_message("%s: text of %zu bytes:", p->what, len);
    for (size_t i = 0; i < len && i < 400; i++)
        print_message(" %02x", (unsigned char)text[i]);
    print_message("\nours  ");
    for (size_t i = 0; i < n; i++)
        print_message(" %d", ours[i]);
    print_message("\ntheirs");
    for (size_t i = 0; i < n_theirs; i++)
        print_message(" %u", theirs[i]);
    fail_msg("\nnumber %llu differs", (unsigned long long)p->texts);
}

/* Where marks stay that change places, the package's offsets go another way than ours, which keep the order of the text
 * (wordpiece_encode.c). */
static bool moves_marks(const char *text, size_t len) {
    uint32_t cp;
    for (size_t at = 0; at < len;) {
        at += utf8_get(text + at, len - at, &cp);
        if (wordpiece_combining_class(cp) || (cp >= 0x1D15E && cp <= 0x1D1C0)) /* notes, which decompose to such */
            return true;
    }
    return false;
}

/* Sends what is waiting and compares what comes back. */
static void flush(struct pair *p) {
    static int32_t ids[BATCH_BYTES];
    static struct tokenizer_span spans[BATCH_BYTES];
    size_t total = 0, done = 0, at = 0;
    if (p->n == 0)
        return;
    put_numbers(p->to, (uint32_t[]){(uint32_t)p->n, (uint32_t)p->bytes, p->want_spans}, 3);
    put_numbers(p->to, p->lengths, p->n);
    assert_int_equal(fwrite(p->text, 1, p->bytes, p->to), p->bytes);
    assert_int_equal(fflush(p->to), 0);
    get_numbers(p->from, p->counts, p->n);
    for (size_t i = 0; i < p->n; i++)
        total += p->counts[i];
    uint32_t *theirs = calloc(3 * total + 1, sizeof *theirs), *places = theirs + total;
    assert_non_null(theirs);
    get_numbers(p->from, theirs, (p->want_spans ? 3 : 1) * total);
    for (size_t i = 0; i < p->n; at += p->lengths[i], done += p->counts[i], i++, p->texts++) {
        const char *text = p->text + at;
        size_t len = p->lengths[i], n = tokenizer_tokens(p->t, text, len, len, ids, spans);
        if (n != p->counts[i] || memcmp(ids, theirs + done, n * sizeof *ids) != 0)
            differ(p, text, len, ids, n, theirs + done, p->counts[i]);
        assert_int_equal(tokenizer_count(p->t, text, len), n + 2);
        bool moved = p->t->strip && moves_marks(text, len);
        for (size_t k = 0; k < n; k++) {
            const uint32_t *place = places + 2 * (done + k);
            p->unknown += ids[k] == tokenizer_special(p->t).unk;
            p->spans += !moved && place[1];
            if (!moved && place[1] && (place[0] != spans[k].start || place[1] != spans[k].end)) {
                print_message("token %zu: we have it at %zu to %zu, they at %u to %u\n", k, spans[k].start, spans[k].end, place[0], place[1]);
                differ(p, text, len, ids, n, theirs + done, p->counts[i]);
            }
        }
        p->sum = hostile_sum(p->sum, ids, n);
        p->tokens += n;
    }
    free(theirs);
    p->n = p->bytes = 0;
}

static void add(struct pair *p, const char *text, size_t len) {
    assert_true(len <= BATCH_BYTES);
    if (p->n == BATCH || p->bytes + len > BATCH_BYTES)
        flush(p);
    memcpy(p->text + p->bytes, text, len);
    p->bytes += len;
    p->lengths[p->n++] = (uint32_t)len;
}

static void end(struct pair *p) {
    int state = 0;
    flush(p);
    put_numbers(p->to, (uint32_t[]){0}, 1);
    assert_int_equal(fclose(p->to), 0);
    fclose(p->from);
    assert_int_equal(waitpid(p->child, &state, 0), p->child);
    assert_int_equal(state, 0);
    print_message("%s: %llu texts, %llu tokens, %llu of them unknown: identical; so are %llu spans\n", p->what, (unsigned long long)p->texts,
                  (unsigned long long)p->tokens, (unsigned long long)p->unknown, (unsigned long long)p->spans);
    tokenizer_close(p->t);
    free(p->text);
}

static uint64_t add_lines(struct pair *p, uint64_t from, uint64_t n) {
    char line[HOSTILE_MAX];
    p->sum = 0;
    for (uint64_t i = from; i < from + n; i++) {
        size_t len = hostile_line(i, line);
        add(p, line, len);
    }
    flush(p);
    return p->sum;
}

static void compare_hostile(enum hostile_vocabulary which, const struct model_gguf *g, uint64_t more) {
    const struct hostile_expected *e = &hostile_expected[which];
    static struct pair p;
    begin(&p, e->what, g);
    uint64_t characters = add_lines(&p, 0, HOSTILE_CHARACTERS), random = add_lines(&p, HOSTILE_CHARACTERS, HOSTILE_RANDOM);
    p.want_spans = false; /* the package takes its time for them */
    add_lines(&p, HOSTILE_CHARACTERS + HOSTILE_RANDOM, more);
    end(&p);
    if (characters != e->characters || random != e->random)
        fail_msg("%s: the checksums are 0x%016llX, 0x%016llX; tests/fake/hostile_text.c has others", e->what, (unsigned long long)characters,
                 (unsigned long long)random);
}

static void letters(enum hostile_vocabulary which, uint64_t more) {
    struct fake_vocabulary v;
    fake_vocabulary_of_letters(&v, hostile_expected[which].lower, hostile_expected[which].strip);
    compare_hostile(which, v.g, more);
    fake_vocabulary_free(&v);
}

static void uncased(void **state) {
    (void)state;
    letters(HOSTILE_UNCASED, MILLION - HOSTILE_RANDOM);
}
static void cased(void **state) {
    (void)state;
    letters(HOSTILE_CASED, MILLION - HOSTILE_RANDOM);
}
static void lower_with_accents(void **state) {
    (void)state;
    letters(HOSTILE_LOWER_WITH_ACCENTS, 0);
}
static void capitals_without_accents(void **state) {
    (void)state;
    letters(HOSTILE_CAPITALS_WITHOUT, 0);
}

static struct model_gguf *open_minilm(void) {
    char folder[4096], path[4200];
    struct model_gguf *g = NULL;
    qa_error err = {0};
    say_from("QUAERE_TEST_MODELS", "tools/test-models", folder, sizeof folder);
    snprintf(path, sizeof path, "%s/all-MiniLM-L6-v2.gguf", folder);
    if (model_gguf_open(path, &g, &err) != QA_OK)
        fail_msg("%s", err.message);
    return g;
}

static void minilm(void **state) {
    (void)state;
    struct model_gguf *g = open_minilm();
    compare_hostile(HOSTILE_MINILM, g, MILLION - HOSTILE_RANDOM);
    model_gguf_close(g);
}

/* Pieces as long as chunks are, ending at a blank line if there is one, and the first of each document with all that
 * follows. */
static void add_document(struct pair *p, const char *text, size_t len) {
    add(p, text, len < BATCH_BYTES ? len : utf8_floor(text, BATCH_BYTES - 4));
    for (size_t at = 0, n; at < len; at += n) {
        const char *blank = len - at > PIECE / 2 ? memmem(text + at + PIECE / 2, len - at - PIECE / 2, "\n\n", 2) : NULL;
        n = len - at <= PIECE ? len - at : blank && blank < text + at + PIECE ? (size_t)(blank - text) - at : utf8_floor(text + at, PIECE);
        add(p, text + at, n);
    }
}

static void documents(void **state) {
    (void)state;
    char list[4096], *folders[17] = {NULL}, *rest = NULL;
    static struct pair p;
    struct arena a;
    uint64_t n = 0, bytes = 0;
    struct model_gguf *g = open_minilm();
    say_from("QA_CORPUS", "tools/demo-docs", list, sizeof list);
    for (char *folder = strtok_r(list, ":", &rest); folder && n < 16; folder = strtok_r(NULL, ":", &rest))
        folders[n++] = folder;
    begin(&p, "documents", g);
    arena_init(&a, 1 << 30);
    n = 0;
    FTS *walk = fts_open(folders, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    assert_non_null(walk);
    for (FTSENT *entry; (entry = fts_read(walk));) {
        char *text;
        size_t len;
        const char *dot = strrchr(entry->fts_name, '.');
        if (entry->fts_info != FTS_F || !dot || (strcmp(dot, ".md") != 0 && strcmp(dot, ".mdx") != 0 && strcmp(dot, ".txt") != 0))
            continue;
        arena_reset(&a);
        assert_int_equal(file_read(&a, entry->fts_path, 64 << 20, &text, &len, NULL), QA_OK);
        add_document(&p, text, len);
        n++;
        bytes += len;
    }
    fts_close(walk);
    arena_free(&a);
    end(&p);
    model_gguf_close(g);
    print_message("%llu documents of %llu bytes\n", (unsigned long long)n, (unsigned long long)bytes);
    assert_true(n > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncased),
        cmocka_unit_test(cased),
        cmocka_unit_test(lower_with_accents),
        cmocka_unit_test(capitals_without_accents),
        cmocka_unit_test(minilm),
        cmocka_unit_test(documents),
    };
    return cmocka_run_group_tests(tests, find_python, NULL);
}
