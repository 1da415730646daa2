/* Opening what is no model, half a model, another model or a hostile one: a message that names the file and the reason, and nothing on the terminal. */
#include "llm_fixture.h"
#include <sys/stat.h>
#include <sys/wait.h>

/* Opens; what goes to standard output and error meanwhile must be nothing. */
static qa_status open_quietly(const struct llm_options *options, bool embedder, qa_error *err) {
    struct embedder_port e = {0};
    struct generator_port g = {0};
    struct stat st;
    FILE *sink = tmpfile();
    fflush(stdout);
    fflush(stderr);
    int out = dup(STDOUT_FILENO), said = dup(STDERR_FILENO);
    assert_true(sink && out >= 0 && said >= 0 && dup2(fileno(sink), STDOUT_FILENO) >= 0 && dup2(fileno(sink), STDERR_FILENO) >= 0);
    qa_status status = embedder ? llm_open_embedder(options, &e, err) : llm_open_generator(options, &g, err);
    fflush(stdout);
    fflush(stderr);
    assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(said, STDERR_FILENO) >= 0);
    close(out);
    close(said);
    assert_int_equal(fstat(fileno(sink), &st), 0);
    assert_int_equal(st.st_size, 0);
    fclose(sink);
    if (status == QA_OK)
        embedder ? e.ops->close(e.self) : g.ops->close(g.self);
    return status;
}

static void expect(const char *name, const struct llm_options *options, bool embedder, qa_status want, const char *part) {
    qa_error err = {0};
    qa_status status = open_quietly(options, embedder, &err);
    if (status != want || err.status != want || !strstr(err.message, part) || !strstr(err.message, options->path))
        fail_msg("%s (%strusted): %s: %s; instead of %s, \"%s\" and %s", name, options->trusted ? "" : "not ", qa_status_name(status), err.message,
                 qa_status_name(want), part, options->path);
}

static void no_models(void **state) {
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t n;
        qa_status status;
        const char *part;
    } rows[] = {
        {"empty", "", 0, QA_CORRUPT, "has 0 bytes"},
        {"a web page", "<!DOCTYPE html><html>you must log in</html>", 43, QA_CORRUPT, "begins with the bytes 3c 21 44 4f"},
        {"an older format", "tjgg\3\0\0\0aaaaaaaaaaaaaaaaaaaaaaaaa", 32, QA_CORRUPT, "instead of \"GGUF\""},
        {"half a header", "GGUF\3\0\0\0\0\0\0\0", 12, QA_CORRUPT, "has 12 bytes"},
        {"version 77", "GGUF\x4D\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, QA_BAD_VERSION, "version 77"},
        {"nothing in it", "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, QA_CORRUPT, "llama.cpp cannot load"},
        {"a huge number of tensors", "GGUF\3\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\1\0\0\0\0\0\0\0", 24, QA_CORRUPT, "llama.cpp cannot load"},
        {"a huge key", "GGUF\3\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7Fkey", 35, QA_CORRUPT, "llama.cpp cannot load"},
    };
    struct fake_tree t;
    fake_tree_make(&t);
    fake_tree_put(&t, "folder", NULL);
    assert_int_equal(mkfifo(fake_tree_path(&t, "fifo"), 0600), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int trusted = 0; trusted < 2; trusted++) {
            const char *path = fake_tree_path(&t, "x.gguf");
            FILE *f = fopen(path, "wb");
            assert_true(f && fwrite(rows[i].bytes, 1, rows[i].n, f) == rows[i].n && fclose(f) == 0);
            struct llm_options o = options_for(path, trusted);
            expect(rows[i].name, &o, i % 2, rows[i].status, rows[i].part);
        }
    for (int trusted = 0; trusted < 2; trusted++) {
        struct llm_options o = options_for(fake_tree_path(&t, "folder"), trusted);
        expect("a folder", &o, false, QA_IO, "not a regular file");
        o = options_for(fake_tree_path(&t, "fifo"), trusted);
        expect("a FIFO, which nobody writes to", &o, true, QA_IO, "not a regular file");
        o = options_for("/dev/zero", trusted);
        expect("a device", &o, false, QA_IO, "not a regular file");
        o = options_for(fake_tree_path(&t, "absent.gguf"), trusted);
        expect("not there", &o, true, QA_NOT_FOUND, "No such file");
    }
    fake_tree_remove(&t);
}

static void cut_short(void **state) {
    (void)state;
    NEED_MODEL(GENERATOR_FILE);
    struct hollow h;
    hollow_make(&h);
    const off_t cuts[] = {100, 5000, 1000000, (off_t)h.g->size / 2, (off_t)h.g->size - 1};
    for (size_t i = sizeof cuts / sizeof *cuts; i-- > 0;) {
        assert_int_equal(ftruncate(h.fd, cuts[i]), 0);
        struct llm_options o = options_for(h.path, i % 2);
        char name[40];
        snprintf(name, sizeof name, "cut at %lld", (long long)cuts[i]);
        expect(name, &o, false, QA_CORRUPT, "llama.cpp cannot load the model");
    }
    hollow_remove(&h);
}

/* Numbers that no model has. Some make llama.cpp fail, some make it die; neither may reach this process. */
static void hostile(void **state) {
    (void)state;
    NEED_MODEL(GENERATOR_FILE);
    static const struct {
        const char *key;
        uint32_t value;
        qa_status want;
    } rows[] = {
        {"llama.attention.head_count", 0, QA_CORRUPT},
        {"llama.attention.head_count", 0xFFFFFFFF, QA_CORRUPT},
        {"llama.attention.head_count_kv", 0, QA_CORRUPT},
        {"llama.attention.head_count_kv", 7, QA_CORRUPT},
        {"llama.embedding_length", 0x7FFFFFFF, QA_CORRUPT},
        {"llama.block_count", 0xFFFFFFFF, QA_CORRUPT}, /* an assertion of llama.cpp */
        {"llama.feed_forward_length", 1, QA_CORRUPT},
        {"llama.rope.dimension_count", 0xFFFFFFFE, QA_CORRUPT},
        {"llama.context_length", 0, QA_OK},
        {"tokenizer.ggml.eos_token_id", 0x7FFFFFFF, QA_OK},
    };
    struct hollow h;
    hollow_make(&h);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_error err = {0};
        const struct model_gguf_entry *entry = model_gguf_find(h.g, rows[i].key);
        hollow_patch_u32(&h, rows[i].key, rows[i].value);
        struct llm_options o = options_for(h.path, false);
        qa_status status = open_quietly(&o, false, &err);
        if (status != rows[i].want || (status != QA_OK && !strstr(err.message, h.path)))
            fail_msg("%s = %u: %s: %s", rows[i].key, rows[i].value, qa_status_name(status), err.message);
        hollow_patch(&h, entry->bytes, entry->bytes, (size_t)entry->size);
    }
    struct llm_options o = options_for(h.path, false);
    qa_error err = {0};
    assert_int_equal(open_quietly(&o, false, &err), QA_OK); /* all is as it was */
    hollow_remove(&h);
}

/* A file larger than any memory, for which no context has to be tried. */
static void too_large(void **state) {
    (void)state;
    NEED_MODEL(GENERATOR_FILE);
    struct hollow h;
    hollow_make(&h);
    if (ftruncate(h.fd, (off_t)1 << 43) != 0) {
        print_message("skipped: this file system holds no file of 8 TB\n");
        hollow_remove(&h);
        skip();
    }
    for (int trusted = 0; trusted < 2; trusted++) {
        struct llm_options o = options_for(h.path, trusted);
        expect("8 TB", &o, false, QA_TOO_LARGE, "needs at least 8388672 MB");
    }
    hollow_remove(&h);
}

static void wrong_role(void **state) {
    (void)state;
    NEED_MODEL(GENERATOR_FILE);
    NEED_MODEL(EMBEDDER_FILE);
    for (int trusted = 0; trusted < 2; trusted++) {
        struct llm_options o = options_for(model_file(GENERATOR_FILE), trusted);
        expect("a generator as embedder", &o, true, QA_BAD_CONFIG, "cannot be the embedder");
        o = options_for(model_file(EMBEDDER_FILE), trusted);
        expect("an embedder as generator", &o, false, QA_BAD_CONFIG, "cannot be the generator");
    }
}

static void cancelled(void **state) {
    (void)state;
    NEED_MODEL(GENERATOR_FILE);
    const atomic_int cancel = 1;
    for (int trusted = 0; trusted < 2; trusted++) {
        struct llm_options o = options_for(model_file(GENERATOR_FILE), trusted);
        o.cancel = &cancel;
        expect("cancelled", &o, false, QA_CANCELLED, "cancelled");
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no child is left */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_models), cmocka_unit_test(cut_short), cmocka_unit_test(hostile), cmocka_unit_test(too_large), cmocka_unit_test(wrong_role),
                                       cmocka_unit_test(cancelled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
