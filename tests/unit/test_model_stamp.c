/* Stamps: a file is read once for its checksum, until it changes; whatever is wrong with a stamp costs only time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "fake/fake_bert.h"
#include "model/gguf.h"
#include "model/internal.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_tree tree;
static char file[300], stamp[320], sum[SHA256_HEX]; /* a model in the models folder, its stamp, its checksum */
static const char forged[] = "00000000000000000000000000000000000000000000000000000000000000ff";

static int set_up(void **state) {
    (void)state;
    fake_tree_make(&tree);
    fake_bert_make(&tree, "bert", &(struct fake_bert){0});
    fake_tree_put(&tree, "models", NULL);
    setenv("QUAERE_MODELS", fake_tree_path(&tree, "models"), 1);
    setenv("XDG_CACHE_HOME", fake_tree_path(&tree, "cache"), 1);
    snprintf(file, sizeof file, "%s/models/m.gguf", tree.root);
    snprintf(stamp, sizeof stamp, "%s.stamp", file);
    assert_int_equal(model_import(fake_tree_path(&tree, "bert"), file, NULL), QA_OK);
    assert_int_equal(sha256_file(file, NULL, NULL, NULL, sum, NULL), QA_OK);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    unsetenv("QUAERE_MODELS");
    unsetenv("XDG_CACHE_HOME");
    fake_tree_remove(&tree);
    return 0;
}

static struct model_identity identify(const char *path) {
    struct model_identity id;
    qa_error err = {0};
    if (model_identify(path, NULL, &id, &err) != QA_OK)
        fail_msg("%s", err.message);
    return id;
}

static char *read_text(const char *path) {
    static char text[1200];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

static void write_text(const char *path, const char *text, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_true(f && fwrite(text, 1, n, f) == n && fclose(f) == 0);
}

/* Puts another checksum into a stamp, so that it can be seen whether it was believed. */
static void forge(const char *path) {
    char *text = read_text(path), *at = strstr(text, "sha256 ");
    assert_non_null(at);
    memcpy(at + 7, forged, 64);
    write_text(path, text, strlen(text));
}

static void a_stamp_is_believed(void **state) {
    (void)state;
    struct model_identity id = identify(file);
    assert_string_equal(id.sha256, sum);
    assert_string_equal(id.tried, "");
    assert_int_equal(access(stamp, F_OK), 0);
    forge(stamp);
    assert_string_equal(identify(file).sha256, forged); /* so the file was not read */
    assert_int_equal(access(fake_tree_path(&tree, "cache"), F_OK), -1);
}

static void change_a_byte(void) {
    int fd = open(file, O_RDWR | O_CLOEXEC);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(pwrite(fd, "x", 1, st.st_size - 40), 1);
    close(fd);
}
static void change_a_byte_and_turn_the_clock_back(void) {
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    change_a_byte();
    const struct timespec times[] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}
static void touch(void) {
    const struct timespec times[] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}
static void replace(void) {
    char other[320];
    snprintf(other, sizeof other, "%s.new", file);
    assert_int_equal(model_import(fake_tree_path(&tree, "bert"), other, NULL), QA_OK);
    assert_int_equal(rename(other, file), 0);
}

static void a_change_is_noticed(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*change)(void);
    } rows[] = {
        {"touched", touch},
        {"replaced by the same", replace},
        {"a byte", change_a_byte},
        {"a byte, with the old time", change_a_byte_and_turn_the_clock_back},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char now[SHA256_HEX];
        identify(file);
        forge(stamp);
        rows[i].change();
        assert_int_equal(sha256_file(file, NULL, NULL, NULL, now, NULL), QA_OK);
        struct model_identity id = identify(file);
        if (strcmp(id.sha256, now) != 0)
            fail_msg("%s: %s", rows[i].name, id.sha256);
        forge(stamp);
        assert_string_equal(identify(file).sha256, forged); /* and it was stamped anew */
    }
}

static void broken_stamps_cost_only_time(void **state) {
    (void)state;
    identify(file);
    char good[1200], bad[1200];
    strcpy(good, read_text(stamp));
    size_t n = strlen(good);
    const char *at_sum = strstr(good, "sha256 ") + 7;
    struct {
        const char *name;
        size_t at;
        const char *with;
        size_t n; /* bytes that stay; 0: all */
    } rows[] = {
        {"empty", 0, "", 1},
        {"cut short", 0, "", n - 1},
        {"without a checksum", 0, "", (size_t)(at_sum - good)},
        {"another version", (size_t)(strchr(good, '\n') - good) - 1, "2", 0},
        {"a digit of the time", (size_t)(strstr(good, ", changed") - good) - 1, good[strstr(good, ", changed") - good - 1] == '1' ? "2" : "1", 0},
        {"a checksum of capitals", (size_t)(at_sum - good), "ABCDEF", 0},
        {"a word that there is not", (size_t)(strstr(good, "untried") - good), "retried", 0},
        {"more at the end", n, "x\n", 0},
        {"a NUL", (size_t)(at_sum - good), NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        strcpy(bad, good);
        memcpy(strstr(bad, "sha256 ") + 7, forged, 64);
        if (rows[i].with)
            memcpy(bad + rows[i].at, rows[i].with, strlen(rows[i].with));
        else
            bad[rows[i].at] = '\0';
        size_t end = rows[i].at + (rows[i].with ? strlen(rows[i].with) : 0);
        write_text(stamp, bad, rows[i].n ? rows[i].n : end > n ? end : n);
        struct model_identity id = identify(file);
        if (strcmp(id.sha256, sum) != 0 || id.tried[0])
            fail_msg("%s: %s was believed", rows[i].name, id.sha256);
        assert_string_equal(read_text(stamp), good); /* mended */
    }
    char *large = calloc(1, 5000);
    write_text(stamp, large, 5000);
    free(large);
    assert_string_equal(identify(file).sha256, sum);
    unlink(stamp);
    assert_int_equal(mkfifo(stamp, 0600), 0);
    assert_string_equal(identify(file).sha256, sum); /* and nobody waited */
}

/* Where nothing can be put beside the model, the user's cache serves; where that cannot either, nothing does. */
static void a_folder_that_cannot_be_written(void **state) {
    (void)state;
    fake_tree_put(&tree, "models/m.gguf.stamp/in the way", "");
    assert_string_equal(identify(file).sha256, sum);
    char command[400], path[400];
    snprintf(command, sizeof command, "find %s/cache/quaere/stamps -name '*.stamp'", tree.root);
    FILE *found = popen(command, "r");
    assert_non_null(fgets(path, sizeof path, found));
    path[strcspn(path, "\n")] = '\0';
    pclose(found);
    forge(path);
    assert_string_equal(identify(file).sha256, forged);
    fake_tree_delete(&tree, "cache");
    fake_tree_put(&tree, "cache", "no folder");
    assert_string_equal(identify(file).sha256, sum);
    unsetenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *old = home ? strdup(home) : NULL;
    unsetenv("HOME");
    assert_string_equal(identify(file).sha256, sum);
    if (old)
        setenv("HOME", old, 1);
    free(old);
}

/* A file of one's own lies where other programs may mind: nothing is put beside it. */
static void files_elsewhere(void **state) {
    (void)state;
    fake_tree_put(&tree, "own/x", "");
    assert_int_equal(model_import(fake_tree_path(&tree, "bert"), fake_tree_path(&tree, "own/m.gguf"), NULL), QA_OK);
    struct model_identity id = identify(fake_tree_path(&tree, "own/m.gguf"));
    assert_string_equal(id.sha256, sum);
    model_note_trial(fake_tree_path(&tree, "own/m.gguf"), &id, "1.2.3");
    assert_int_equal(access(fake_tree_path(&tree, "own/m.gguf.stamp"), F_OK), -1);
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fake_tree_path(&tree, "own")), 0);
    id = identify("../own/m.gguf"); /* by another way to the same place */
    assert_int_equal(chdir(before), 0);
    assert_string_equal(id.tried, "1.2.3");
}

static void what_was_tried(void **state) {
    (void)state;
    struct model_identity id = identify(file);
    struct model_file f;
    struct arena a = {.ceiling = 1 << 20};
    model_note_trial(file, &id, "0.5.0-abc");
    assert_string_equal(identify(file).tried, "0.5.0-abc");
    assert_int_equal(model_inspect(&a, file, NULL, &f, NULL), QA_OK); /* reading it whole takes nothing back */
    assert_string_equal(identify(file).tried, "0.5.0-abc");
    forge(stamp);
    assert_int_equal(model_inspect(&a, file, NULL, &f, NULL), QA_OK); /* but believes no stamp */
    assert_string_equal(f.sha256, sum);
    id = identify(file);
    assert_string_equal(id.sha256, sum);
    assert_string_equal(id.tried, "");
    model_note_trial(file, &id, "a version that is much longer than any version has ever been");
    model_note_trial(file, &id, "two\nlines");
    assert_string_equal(identify(file).tried, "");
    model_note_trial(file, &id, "1");
    change_a_byte();
    assert_string_equal(identify(file).tried, "");
    arena_free(&a);
}

static void the_file_of_an_entry(void **state) {
    (void)state;
    static const struct model_source source = {"url", "https://example.com/m.gguf", NULL};
    struct model_entry e = {.name = "m", .licence = "x", .about = "y", .sha256 = forged, .bytes = 1, .sources = &source, .n_sources = 1};
    struct model_identity id;
    qa_error err = {0};
    for (int again = 0; again < 2; again++) {
        assert_int_equal(model_identify_entry(&e, file, NULL, &id, &err), QA_CORRUPT);
        assert_true(strstr(err.message, file) && strstr(err.message, sum) && strstr(err.message, forged) && strstr(err.message, "quaere model pull m"));
    }
    e.sha256 = sum;
    assert_int_equal(model_identify_entry(&e, file, NULL, &id, &err), QA_OK);
    e.sha256 = NULL; /* nothing to compare with */
    assert_int_equal(model_identify_entry(&e, file, NULL, &id, &err), QA_OK);
    e.import = true;
    e.gguf_sha256 = forged;
    assert_int_equal(model_identify_entry(&e, file, NULL, &id, &err), QA_CORRUPT);
}

static void what_is_no_file(void **state) {
    (void)state;
    static const struct {
        const char *path, *part;
        qa_status status;
    } rows[] = {
        {"models/fifo.gguf", "not a regular file", QA_IO},
        {"models/folder.gguf", "a folder, and the GGUF file of a model is wanted", QA_IO},
        {"models/text.gguf", "it does not begin with GGUF", QA_CORRUPT},
        {"models/none.gguf", "No such file", QA_NOT_FOUND},
    };
    struct model_identity id;
    qa_error err = {0};
    fake_tree_put(&tree, "models/folder.gguf", NULL);
    fake_tree_put(&tree, "models/text.gguf", "some notes");
    assert_int_equal(mkfifo(fake_tree_path(&tree, "models/fifo.gguf"), 0600), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = fake_tree_path(&tree, rows[i].path);
        qa_status status = model_identify(path, NULL, &id, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].part) || !strstr(err.message, path))
            fail_msg("%s: %s: %s", rows[i].path, qa_status_name(status), err.message);
    }
    assert_int_equal(model_identify("/dev/zero", NULL, &id, &err), QA_IO);
    const atomic_int cancel = 1;
    assert_int_equal(model_identify(file, &cancel, &id, &err), QA_CANCELLED);
    assert_int_equal(access(stamp, F_OK), -1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_stamp_is_believed), TEST(a_change_is_noticed), TEST(broken_stamps_cost_only_time), TEST(a_folder_that_cannot_be_written),
        TEST(files_elsewhere), TEST(what_was_tried), TEST(the_file_of_an_entry), TEST(what_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
