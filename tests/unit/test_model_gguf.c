// GGUF: what is written is read, and what is wrong with a file is said.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake/fake_tree.h"
#include "model/gguf.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file with an entry of every kind that the writer makes, and two tensors. */
static void make(struct buf *out) {
    static const uint64_t matrix[] = {32, 3}, vector[] = {5};
    static const char zeros[64];
    struct model_gguf_writer w;
    model_gguf_begin(&w);
    model_gguf_put_string(&w, "general.architecture", "bert");
    model_gguf_put_uint(&w, "count", 0xFFFFFFFF);
    model_gguf_put_float(&w, "fraction", 1.5F);
    model_gguf_put_bool(&w, "yes", true);
    model_gguf_put_array(&w, "words", GGUF_STRING, 3);
    model_gguf_put_item(&w, "a", 1);
    model_gguf_put_item(&w, "", 0);
    model_gguf_put_item(&w, "\xE2\x96\x81word", 7);
    model_gguf_put_array(&w, "numbers", GGUF_I32, 2);
    model_gguf_put_int(&w, -1);
    model_gguf_put_int(&w, 7);
    model_gguf_put_tensor(&w, "matrix", MODEL_TENSOR_Q8_0, 2, matrix, 3 * 34);
    model_gguf_put_tensor(&w, "vector", MODEL_TENSOR_F32, 1, vector, 20);
    buf_init(out, 1 << 20);
    assert_int_equal(model_gguf_write_head(&w, out, NULL), QA_OK);
    assert_int_equal(out->len % 32, 0);
    for (int i = 0; i < 3 * 34; i++)
        buf_putc(out, (char)i);
    buf_put(out, zeros, model_gguf_padding(3 * 34));
    for (int i = 0; i < 20; i++)
        buf_putc(out, (char)(100 + i));
    buf_put(out, zeros, model_gguf_padding(20));
    model_gguf_end(&w);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct buf b;
    struct model_gguf *g = NULL;
    uint64_t n = 0;
    double f = 0;
    bool yes = false;
    const char *text = NULL;
    size_t len = 0;
    const uint8_t *at = NULL;
    make(&b);
    assert_int_equal(model_gguf_parse("x.gguf", b.data, b.len, &g, NULL), QA_OK);
    assert_int_equal(g->version, 3);
    assert_int_equal(g->alignment, 32);
    assert_int_equal(g->n_entries, 6);
    assert_string_equal(g->entries[0].key, "general.architecture");
    assert_true(model_gguf_get_string(g, "general.architecture", &text, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(text, "bert", 4);
    assert_true(model_gguf_get_uint(g, "count", &n));
    assert_int_equal(n, 0xFFFFFFFF);
    assert_true(model_gguf_get_float(g, "fraction", &f));
    assert_true(f == 1.5);
    assert_true(model_gguf_get_bool(g, "yes", &yes) && yes);
    assert_false(model_gguf_get_uint(g, "yes", &n));
    assert_false(model_gguf_get_float(g, "count", &f));
    assert_false(model_gguf_get_bool(g, "absent", &yes));
    const struct model_gguf_entry *words = model_gguf_find(g, "words");
    assert_int_equal(words->n, 3);
    assert_true(model_gguf_next_string(words, &at, &text, &len) && len == 1 && *text == 'a');
    assert_true(model_gguf_next_string(words, &at, &text, &len) && len == 0);
    assert_true(model_gguf_next_string(words, &at, &text, &len) && len == 7);
    assert_false(model_gguf_next_string(words, &at, &text, &len));
    at = NULL;
    assert_false(model_gguf_next_string(model_gguf_find(g, "numbers"), &at, &text, &len));
    const struct model_gguf_tensor *t = model_gguf_find_tensor(g, "matrix");
    assert_string_equal(t->type_name, "Q8_0");
    assert_int_equal(t->elements, 96);
    assert_int_equal(t->shape[0], 32);
    assert_int_equal(t->shape[1], 3);
    assert_int_equal(t->shape[3], 1);
    assert_int_equal(t->size, 102);
    assert_int_equal(t->data[101], 101);
    t = model_gguf_find_tensor(g, "vector");
    assert_int_equal(t->size, 20);
    assert_int_equal(t->data[0], 100);
    assert_null(model_gguf_find_tensor(g, "matri"));
    model_gguf_close(g);
    buf_free(&b);
}

/* Every cut must be told: the data of the last tensor is the last thing that may not be missing. */
static void no_cut_passes(void **state) {
    (void)state;
    struct buf b;
    make(&b);
    for (size_t n = 0; n < b.len; n++) {
        struct model_gguf *g = NULL;
        qa_error err = {0};
        char *exact = malloc(n + 1); /* so that ASan sees a read past the end */
        memcpy(exact, b.data, n);
        qa_status status = model_gguf_parse("x.gguf", exact, n, &g, &err);
        bool whole = n + model_gguf_padding(20) >= b.len; /* padding at the very end is not needed */
        if (whole != (status == QA_OK) || (!whole && (status != QA_CORRUPT || !strstr(err.message, "x.gguf"))))
            fail_msg("cut at %zu of %zu: status %d, %s", n, b.len, status, err.message);
        model_gguf_close(g);
        free(exact);
    }
    buf_free(&b);
}

/* ---- Files made by hand ---- */

static void le(struct buf *b, uint64_t v, int n) {
    for (int i = 0; i < n; i++)
        buf_putc(b, (char)(v >> 8 * i));
}
static void text(struct buf *b, const char *s) {
    le(b, strlen(s), 8);
    buf_puts(b, s);
}
static void header(struct buf *b, uint64_t tensors, uint64_t entries) {
    buf_puts(b, "GGUF");
    le(b, 3, 4);
    le(b, tensors, 8);
    le(b, entries, 8);
}
/* name, shape, type, offset */
static void tensor(struct buf *b, const char *name, unsigned dims, uint64_t a, uint64_t c, unsigned type, uint64_t offset) {
    text(b, name);
    le(b, dims, 4);
    if (dims)
        le(b, a, 8);
    for (unsigned i = 1; i < dims; i++)
        le(b, i == 1 ? c : 1, 8);
    le(b, type, 4);
    le(b, offset, 8);
}

static void lfs(struct buf *b) { buf_puts(b, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"); }
static void page(struct buf *b) { buf_puts(b, "<!doctype html><title>404</title>"); }
static void zip(struct buf *b) { buf_put(b, "PK\x03\x04xxxxxxxxxxxxxxxxxxxxxxxx", 28); }
static void other(struct buf *b) { le(b, 100, 8), buf_puts(b, "{\"a\": 1}                                       "); }
static void nothing(struct buf *b) { (void)b; }
static void version_9(struct buf *b) { buf_puts(b, "GGUF"), le(b, 9, 4), le(b, 0, 8), le(b, 0, 8); }
static void big_endian(struct buf *b) { buf_puts(b, "GGUF"), le(b, 0x03000000, 4), le(b, 0, 8), le(b, 0, 8); }
static void many_entries(struct buf *b) { header(b, 0, UINT64_MAX); }
static void many_tensors(struct buf *b) { header(b, 65537, 0); }
static void counts_past_end(struct buf *b) { header(b, 65536, 65536); }
static void key_past_end(struct buf *b) { header(b, 0, 1), le(b, UINT64_MAX, 8), le(b, 0, 8); }
static void key_long(struct buf *b) {
    header(b, 0, 1);
    le(b, 1025, 8);
    for (int i = 0; i < 1100; i++)
        buf_putc(b, 'k');
}
static void key_empty(struct buf *b) { header(b, 0, 1), le(b, 0, 8), le(b, 0, 8); }
static void key_with_nul(struct buf *b) { header(b, 0, 1), le(b, 3, 8), buf_put(b, "a\0b", 3), le(b, 4, 4), le(b, 1, 4); }
static void key_no_utf8(struct buf *b) { header(b, 0, 1), text(b, "a\xFF"), le(b, 4, 4), le(b, 1, 4); }
static void type_unknown(struct buf *b) { header(b, 0, 1), text(b, "k"), le(b, 13, 4), le(b, 0, 8); }
static void key_twice(struct buf *b) {
    header(b, 0, 2);
    for (int i = 0; i < 2; i++)
        text(b, "general.twice"), le(b, 0, 4), buf_putc(b, 1);
}
static void bool_of_two(struct buf *b) { header(b, 0, 1), text(b, "k"), le(b, 7, 4), buf_putc(b, 2), le(b, 0, 8); }
static void nested(struct buf *b) { header(b, 0, 1), text(b, "k"), le(b, 9, 4), le(b, 9, 4), le(b, 1, 8), le(b, 0, 8); }
static void array_past_end(struct buf *b) { header(b, 0, 1), text(b, "k"), le(b, 9, 4), le(b, 4, 4), le(b, UINT64_MAX / 2, 8); }
static void string_past_end(struct buf *b) { header(b, 0, 1), text(b, "k"), le(b, 9, 4), le(b, 8, 4), le(b, 1, 8), le(b, 1 << 30, 8); }
static void alignment(struct buf *b, unsigned type, uint64_t v) { header(b, 0, 1), text(b, "general.alignment"), le(b, type, 4), le(b, v, 8); }
static void alignment_3(struct buf *b) { alignment(b, 4, 3); }
static void alignment_0(struct buf *b) { alignment(b, 4, 0); }
static void alignment_wide(struct buf *b) { alignment(b, 10, 64); }
static void tensor_many_dims(struct buf *b) { header(b, 1, 0), tensor(b, "t", 5, 1, 1, 0, 0); }
static void tensor_overflow(struct buf *b) { header(b, 1, 0), tensor(b, "t", 2, (uint64_t)1 << 40, (uint64_t)1 << 40, 0, 0); }
static void tensor_empty(struct buf *b) { header(b, 1, 0), tensor(b, "t", 1, 0, 0, 0, 0); }
static void tensor_type(struct buf *b) { header(b, 1, 0), tensor(b, "t", 1, 32, 0, 4, 0); }
static void tensor_row(struct buf *b) { header(b, 1, 0), tensor(b, "t", 2, 31, 32, 8, 0); }
static void tensor_offset(struct buf *b) { header(b, 1, 0), tensor(b, "t", 1, 1, 0, 0, 32), le(b, 0, 8), le(b, 0, 8), le(b, 0, 8); }
static void tensor_overlap(struct buf *b) {
    header(b, 2, 0), tensor(b, "t", 1, 1, 0, 0, 0), tensor(b, "u", 1, 1, 0, 0, 0);
    for (int i = 0; i < 16; i++)
        le(b, 0, 8);
}
static void tensor_twice(struct buf *b) { header(b, 2, 0), tensor(b, "t", 1, 1, 0, 0, 0), tensor(b, "t", 1, 1, 0, 0, 32); }
static void tensor_past_end(struct buf *b) { header(b, 1, 0), tensor(b, "token_embd.weight", 1, 1000, 0, 0, 0), le(b, 0, 8), le(b, 0, 8), le(b, 0, 8); }
static void tensor_name(struct buf *b) { header(b, 1, 0), tensor(b, "a name of more than sixty-three bytes, which llama.cpp would not take at all", 1, 1, 0, 0, 0); }

static void damage_is_told(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*make)(struct buf *b);
        qa_status status;
        const char *message;
    } rows[] = {
        {"a pointer of Git LFS", lfs, QA_CORRUPT, "Git LFS"},
        {"a web page", page, QA_CORRUPT, "web page"},
        {"a ZIP archive", zip, QA_CORRUPT, "ZIP"},
        {"safetensors", other, QA_CORRUPT, "quaere model import"},
        {"an empty file", nothing, QA_CORRUPT, "empty"},
        {"a version to come", version_9, QA_BAD_VERSION, "version 9"},
        {"the other byte order", big_endian, QA_CORRUPT, "big-endian"},
        {"entries without end", many_entries, QA_TOO_LARGE, "18446744073709551615 entries"},
        {"tensors without end", many_tensors, QA_TOO_LARGE, "65537 tensors"},
        {"counts that the file cannot hold", counts_past_end, QA_CORRUPT, "cut short"},
        {"a key that leaves the file", key_past_end, QA_CORRUPT, "the name of entry 0"},
        {"a long key", key_long, QA_TOO_LARGE, "1025 bytes"},
        {"a key without a letter", key_empty, QA_CORRUPT, "the name of entry 0 is empty"},
        {"a key that holds NUL", key_with_nul, QA_CORRUPT, "no text"},
        {"a key that is no UTF-8", key_no_utf8, QA_CORRUPT, "no text"},
        {"an unknown type", type_unknown, QA_CORRUPT, "type 13"},
        {"a key twice", key_twice, QA_CORRUPT, "general.twice is there twice"},
        {"a bool of two", bool_of_two, QA_CORRUPT, "bool of value 2"},
        {"an array of arrays", nested, QA_CORRUPT, "array of arrays"},
        {"an array that leaves the file", array_past_end, QA_CORRUPT, "9223372036854775807 items"},
        {"a text in an array that leaves the file", string_past_end, QA_CORRUPT, "1073741824"},
        {"an alignment of 3", alignment_3, QA_CORRUPT, "general.alignment is 3"},
        {"an alignment of 0", alignment_0, QA_CORRUPT, "general.alignment is 0"},
        {"an alignment of another type", alignment_wide, QA_CORRUPT, "u64"},
        {"five dimensions", tensor_many_dims, QA_CORRUPT, "5 dimensions"},
        {"more elements than can be", tensor_overflow, QA_CORRUPT, "1099511627776 elements"},
        {"a tensor of nothing", tensor_empty, QA_CORRUPT, "0 elements"},
        {"a tensor type that ggml gave up", tensor_type, QA_CORRUPT, "type 4"},
        {"a row that is no whole block", tensor_row, QA_CORRUPT, "31 elements, which Q8_0"},
        {"a gap before a tensor", tensor_offset, QA_CORRUPT, "byte 32 of the data"},
        {"two tensors on the same bytes", tensor_overlap, QA_CORRUPT, "the tensor u lies at byte 0"},
        {"a tensor twice", tensor_twice, QA_CORRUPT, "the tensor t is there twice"},
        {"data that ends too early", tensor_past_end, QA_CORRUPT, "token_embd.weight needs bytes 0 to 4000"},
        {"a long tensor name", tensor_name, QA_TOO_LARGE, "the limit is 63"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        struct model_gguf *g = NULL;
        qa_error err = {0};
        buf_init(&b, 1 << 20);
        rows[i].make(&b);
        char *exact = malloc(b.len + 1);
        memcpy(exact, b.data ? b.data : "", b.len);
        qa_status status = model_gguf_parse("bad.gguf", exact, b.len, &g, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].message) || !strstr(err.message, "bad.gguf") || g)
            fail_msg("%s: status %d, %s", rows[i].name, status, err.message);
        free(exact);
        buf_free(&b);
    }
}

/* Names sorted and looked up in sorted tables: a square of this many would not end in the test's time. */
static void many_names_are_quick(void **state) {
    (void)state;
    struct buf b;
    struct model_gguf *g = NULL;
    uint64_t v = 0;
    char key[32];
    buf_init(&b, 16 << 20);
    header(&b, 0, GGUF_MAX_ENTRIES);
    for (int i = 0; i < GGUF_MAX_ENTRIES; i++) {
        snprintf(key, sizeof key, "key.%d", GGUF_MAX_ENTRIES - i);
        text(&b, key), le(&b, 5, 4), le(&b, (uint64_t)i, 4);
    }
    assert_int_equal(model_gguf_parse("x.gguf", b.data, b.len, &g, NULL), QA_OK);
    assert_true(model_gguf_get_uint(g, "key.1", &v));
    assert_int_equal(v, GGUF_MAX_ENTRIES - 1);
    model_gguf_close(g);
    buf_free(&b);
}

static void whole_numbers_of_every_width(void **state) {
    (void)state;
    static const struct {
        unsigned type, width;
        uint64_t bits;
        bool found;
    } rows[] = {{0, 1, 200, true}, {1, 1, 200, false}, {1, 1, 100, true}, {2, 2, 60000, true}, {3, 2, 60000, false}, {4, 4, 4000000000, true},
                {5, 4, 4000000000, false}, {10, 8, UINT64_MAX, true}, {11, 8, UINT64_MAX, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        struct model_gguf *g = NULL;
        uint64_t v = 0;
        buf_init(&b, 1000);
        header(&b, 0, 1), text(&b, "k"), le(&b, rows[i].type, 4), le(&b, rows[i].bits, (int)rows[i].width);
        assert_int_equal(model_gguf_parse("x.gguf", b.data, b.len, &g, NULL), QA_OK);
        assert_int_equal(model_gguf_get_uint(g, "k", &v), rows[i].found);
        assert_true(!rows[i].found || v == rows[i].bits);
        model_gguf_close(g);
        buf_free(&b);
    }
}

static void files_are_opened(void **state) {
    (void)state;
    struct fake_tree tree;
    struct model_gguf *g = NULL;
    struct buf b;
    qa_error err = {0};
    fake_tree_make(&tree);
    make(&b);
    fake_tree_put(&tree, "m.gguf", "");
    fake_tree_put(&tree, "empty.gguf", "");
    FILE *f = fopen(fake_tree_path(&tree, "m.gguf"), "wb");
    assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
    fclose(f);
    assert_int_equal(model_gguf_open(fake_tree_path(&tree, "m.gguf"), &g, NULL), QA_OK);
    assert_int_equal(model_gguf_find_tensor(g, "vector")->data[19], 119);
    model_gguf_close(g);
    assert_int_equal(model_gguf_open(fake_tree_path(&tree, "empty.gguf"), &g, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "empty"));
    assert_int_equal(model_gguf_open(fake_tree_path(&tree, "none.gguf"), &g, &err), QA_NOT_FOUND);
    assert_int_equal(model_gguf_open(tree.root, &g, &err), QA_IO);
    model_gguf_close(NULL);
    buf_free(&b);
    fake_tree_remove(&tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(no_cut_passes),      cmocka_unit_test(damage_is_told),
        cmocka_unit_test(many_names_are_quick),    cmocka_unit_test(whole_numbers_of_every_width), cmocka_unit_test(files_are_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
