// safetensors: what it hands out lies in the file, and what is wrong with a file is said.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "model/safetensors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length, header, then `data` bytes counting up. Exactly as large as it is, so that ASan sees a read past the end. */
static char *make(const char *header, size_t data, size_t *size) {
    size_t n = strlen(header);
    *size = 8 + n + data;
    char *bytes = calloc(1, *size + 1);
    char *exact = malloc(*size ? *size : 1);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(n >> 8 * i);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < data; i++)
        bytes[8 + n + i] = (char)i;
    memcpy(exact, bytes, *size);
    free(bytes);
    return exact;
}

static void tensors_are_found(void **state) {
    (void)state;
    size_t size = 0;
    struct safetensors *s = NULL;
    char *bytes = make("{\"b\": {\"dtype\": \"F16\", \"shape\": [2, 3], \"data_offsets\": [4, 16]}, \"__metadata__\": {\"format\": \"pt\"}, "
                       "\"a\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [0, 4]}, \"c\": {\"dtype\": \"I64\", \"shape\": [0], \"data_offsets\": [16, 16]}}",
                       16, &size);
    assert_int_equal(model_parse_safetensors("x.safetensors", bytes, size, &s, NULL), QA_OK);
    assert_int_equal(s->n, 3);
    const struct safetensors_tensor *b = model_find_safetensor(s, "b");
    assert_int_equal(b->type, SAFETENSORS_F16);
    assert_int_equal(b->n_dims, 2);
    assert_int_equal(b->shape[1], 3);
    assert_int_equal(b->elements, 6);
    assert_int_equal(b->size, 12);
    assert_int_equal(b->data[0], 4);
    assert_int_equal(model_find_safetensor(s, "a")->elements, 1);
    assert_int_equal(model_find_safetensor(s, "c")->type, SAFETENSORS_OTHER);
    assert_null(model_find_safetensor(s, "__metadata__"));
    model_close_safetensors(s);
    free(bytes);
}

static void damage_is_told(void **state) {
    (void)state;
#define ONE(body) "{\"weight\": {" body "}}"
    static const struct {
        const char *name, *header;
        size_t data;
        qa_status status;
        const char *message;
    } rows[] = {
        {"no JSON", "{\"a\": ", 0, QA_CORRUPT, "the header is not JSON at line 1"},
        {"no object", "[1, 2]", 0, QA_CORRUPT, "no JSON object"},
        {"a name twice", "{\"a\": 1, \"a\": 1}", 0, QA_CORRUPT, "not JSON"},
        {"no type", ONE("\"shape\": [1], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "type (none)"},
        {"an unknown type", ONE("\"dtype\": \"F4\", \"shape\": [1], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "type F4"},
        {"no shape", ONE("\"dtype\": \"F32\", \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "weight has no shape"},
        {"nine dimensions", ONE("\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "8 dimensions"},
        {"a negative size", ONE("\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "no list of numbers"},
        {"a fraction", ONE("\"dtype\": \"F32\", \"shape\": [1.0], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "no list of numbers"},
        {"a product that overflows", ONE("\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "too large"},
        {"bytes that overflow", ONE("\"dtype\": \"F32\", \"shape\": [9223372036854775807], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "larger than can be"},
        {"no place", ONE("\"dtype\": \"F32\", \"shape\": [1]"), 4, QA_CORRUPT, "no data_offsets"},
        {"a place of three numbers", ONE("\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4, 8]"), 4, QA_CORRUPT, "no data_offsets"},
        {"a place turned round", ONE("\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 0]"), 4, QA_CORRUPT, "bytes 4 to 0"},
        {"a place past the end", ONE("\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]"), 4, QA_CORRUPT, "bytes 0 to 8 of the data, and there are 4"},
        {"a place of another size", ONE("\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]"), 4, QA_CORRUPT, "4 bytes of data, and its shape asks for 8"},
        {"shared bytes",
         "{\"a\": {\"dtype\": \"U8\", \"shape\": [3], \"data_offsets\": [0, 3]}, \"b\": {\"dtype\": \"U8\", \"shape\": [2], \"data_offsets\": [2, 4]}}", 4,
         QA_CORRUPT, "a and b share bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = 0;
        struct safetensors *s = NULL;
        qa_error err = {0};
        char *bytes = make(rows[i].header, rows[i].data, &size);
        qa_status status = model_parse_safetensors("x.safetensors", bytes, size, &s, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].message) || !strstr(err.message, "x.safetensors") || s)
            fail_msg("%s: status %d, %s", rows[i].name, status, err.message);
        free(bytes);
    }
}

static void lengths_are_checked(void **state) {
    (void)state;
    struct safetensors *s = NULL;
    qa_error err = {0};
    assert_int_equal(model_parse_safetensors("x", "1234567", 7, &s, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "7 bytes"));
    assert_int_equal(model_parse_safetensors("x", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10, &s, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "18446744073709551615"));
    size_t big = SAFETENSORS_MAX_HEADER + 100;
    char *bytes = calloc(1, big);
    bytes[3] = 1; /* 16 MiB: more than the file */
    assert_int_equal(model_parse_safetensors("x", bytes, big, &s, &err), QA_CORRUPT);
    bytes[3] = 0, bytes[2] = (char)0x80, bytes[0] = 1; /* one over the limit */
    assert_int_equal(model_parse_safetensors("x", bytes, big, &s, &err), QA_TOO_LARGE);
    assert_non_null(strstr(err.message, "8388609"));
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tensors_are_found), cmocka_unit_test(damage_is_told), cmocka_unit_test(lengths_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
