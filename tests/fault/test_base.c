// wrap: malloc,calloc,realloc,reallocarray,strdup,strndup,write,fsync,rename
// Every call that can fail does, one after the other, once (transient) and from then on (persistent), until a run meets no failure.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/pipeline.h"
#include "base/textmap.h"
#define SWEEP_ALLOCATING
#define SWEEP_ALLOCATING_MORE
#define SWEEP_WRITING
#include "fault/sweep.h"
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Both once and from there on; returns how many points there were. */
static unsigned everywhere(void (*attempt)(void *user)) {
    sweep_all(SWEEP_BOTH, false, 1, attempt, NULL);
    return sweep_all(SWEEP_BOTH, true, 1, attempt, NULL);
}

static char folder[200], file[300];

static void read_back(char *to, size_t size) {
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    to[fread(to, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void write_once(void *user) {
    (void)user;
    char content[40];
    qa_error err = {0};
    FILE *f = fopen(file, "w");
    fputs("the old", f);
    fclose(f);
    sweep_arm();
    qa_status status = file_write_atomic(file, "the new one", 11, &err);
    sweep_disarm();
    read_back(content, sizeof content);
    if (status == QA_OK) {
        assert_string_equal(content, "the new one");
    } else {
        assert_in_range(status, QA_IO, QA_NO_MEMORY);
        assert_non_null(strchr(err.message, ':'));
        /* only the fsync of the folder comes after the new content is in place */
        assert_true(strcmp(content, "the old") == 0 || strcmp(content, "the new one") == 0);
    }
    DIR *d = opendir(folder);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    assert_int_equal(n, 1); /* nothing temporary is left */
}

static void a_file_is_old_or_new(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/quaere-fault-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file", folder);
    assert_true(everywhere(write_once) >= 7); /* four writes, two syncs, a rename */
    unlink(file);
    rmdir(folder);
}

static void append_much(void *user) {
    (void)user;
    struct buf b;
    char *taken = NULL;
    buf_init(&b, 100000);
    sweep_arm();
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    bool met = sweep_disarm();
    if (met) {
        qa_error err = {0};
        size_t len = b.len;
        assert_int_equal(b.status, QA_NO_MEMORY);
        assert_int_equal(buf_error(&b, &err, "a list"), QA_NO_MEMORY);
        assert_string_equal(err.message, "out of memory: a list");
        buf_puts(&b, "more"); /* sticky: although there is memory again */
        assert_int_equal(b.len, len);
        assert_true(!b.data || b.data[len] == '\0');
        assert_null(buf_take(&b));
    } else {
        taken = buf_take(&b);
        assert_int_equal(strlen(taken), 3890);
        free(taken);
    }
    buf_free(&b);
}

static void a_buffer_fails_for_good(void **state) {
    (void)state;
    assert_true(everywhere(append_much) >= 4);
}

static void write_and_read_a_map(void *user) {
    (void)user;
    static char document[9000];
    memset(document, 'x', sizeof document);
    struct arena a = {.ceiling = 1 << 20};
    struct textmap_writer w;
    struct textmap m = {0};
    qa_error err = {0};
    sweep_arm();
    textmap_begin(&w, 0, 20000);
    for (uint64_t i = 0; i < 50; i++) {
        textmap_mark(&w, UNIT_PARAGRAPH);
        textmap_copy(&w, document, i * 100, 90);
        textmap_literal(&w, document, i * 5);
    }
    qa_status status = textmap_finish(&w, &err);
    if (status == QA_OK)
        status = textmap_decode(&a, (uint8_t *)w.ops.data, w.ops.len, 0, document, 0, sizeof document, &m, &err);
    bool met = sweep_disarm();
    assert_int_equal(status, met ? QA_NO_MEMORY : QA_OK);
    if (status == QA_OK)
        assert_int_equal(m.plain_len, 50 * 90 + 5 * 49 * 50 / 2);
    textmap_free(&w);
    arena_free(&a);
}

static void a_text_map_is_whole_or_an_error(void **state) {
    (void)state;
    assert_true(everywhere(write_and_read_a_map) >= 6);
}

static void names_and_content(void *user) {
    (void)user;
    struct arena a = {.ceiling = 1 << 20};
    char *data = NULL;
    size_t len = 0;
    qa_error err = {0};
    sweep_arm();
    qa_status status = file_read(&a, "/proc/self/comm", 100, &data, &len, &err);
    char *path = status == QA_OK ? file_absolute(&a, "a/../b") : NULL;
    bool met = sweep_disarm();
    if (status != QA_OK)
        assert_string_equal(err.message, "out of memory: /proc/self/comm");
    assert_int_equal(path != NULL, !met);
    arena_free(&a);
}

static void reading_says_what_it_was_reading(void **state) {
    (void)state;
    assert_true(everywhere(names_and_content) >= 1);
}

/* jansson's first buffer for a token has 16 bytes, its second 32: what is lost when it cannot grow is the end of the token, or a part of an escape. */
static const char *const jsons[] = {
    "\"fourteen bytes\"",
    "[123456789012345, 0.1234567890123]",
    "{\"thirteen byte\\\"\": {\"twelve bytes\\\\\": [[], null, -0.25]}}",
    "[\"a key of thirty bytes, no more\", \"eleven byte\\u00e9\\ud83d\\ude00\"]",
};

static void parse_json(void *user) {
    const char *text = user;
    json_t *value = NULL;
    qa_error err = {0};
    sweep_arm();
    qa_status status = json_parse(text, strlen(text), &value, &err);
    bool met = sweep_disarm();
    assert_int_equal(status, met ? QA_NO_MEMORY : QA_OK);
    assert_true(met == !value);
    if (met)
        assert_string_equal(err.message, "out of memory: reading JSON");
    json_decref(value);
}

static void json_is_whole_or_an_error(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof jsons / sizeof *jsons; i++)
        for (int on = 0; on < 2; on++)
            assert_true(sweep_all(SWEEP_MEMORY, on, 1, parse_json, (void *)(uintptr_t)jsons[i]) > 3);
}

struct count {
    long listed, done;
};
static qa_status list_ten(void *user, void *slot, bool *more, qa_error *err) {
    (void)slot, (void)err;
    *more = ((struct count *)user)->listed++ < 10;
    return QA_OK;
}
static void nothing(void *user, void *slot) { (void)user, (void)slot; }
static qa_status count_done(void *user, void *slot, qa_error *err) {
    (void)slot, (void)err;
    ((struct count *)user)->done++;
    return QA_OK;
}

static void run_a_pipeline(void *user) {
    (void)user;
    char slots[4];
    struct count count = {0};
    struct pipeline p = {.threads = 2, .window = 4, .slots = slots, .slot_size = 1, .user = &count, .next = list_ten, .work = nothing, .done = count_done};
    qa_error err = {0};
    sweep_arm();
    qa_status status = pipeline_run(&p, &err);
    bool met = sweep_disarm();
    assert_int_equal(status, met ? QA_NO_MEMORY : QA_OK);
    assert_int_equal(count.done, met ? 0 : 10);
}

static void a_pipeline_starts_or_says_why(void **state) {
    (void)state;
    assert_true(everywhere(run_a_pipeline) >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_old_or_new),
        cmocka_unit_test(a_buffer_fails_for_good),
        cmocka_unit_test(a_text_map_is_whole_or_an_error),
        cmocka_unit_test(reading_says_what_it_was_reading),
        cmocka_unit_test(json_is_whole_or_an_error),
        cmocka_unit_test(a_pipeline_starts_or_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
