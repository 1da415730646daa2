#include "fake/fake_tree.h"
#include "ingest/ingest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct fake_tree tree;

static int setup(void **state) {
    (void)state;
    fake_tree_make(&tree);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    return 0;
}

/* One item as text: what it is, or why it is none. */
static void describe(const struct documents_port *port, const struct document_item *item, struct arena *a, struct buf *out) {
    char *bytes = NULL;
    size_t len = 0;
    qa_error err = {0};
    buf_printf(out, "%s:%s", item->source ? item->source : "-", item->path ? item->path : "-");
    if (item->deleted) {
        buf_puts(out, " deleted\n");
        return;
    }
    if (port->ops->read(port->self, item, a, 1 << 20, &bytes, &len, &err) != QA_OK) {
        buf_printf(out, " %s: %s\n", qa_status_name(err.status), err.message);
        return;
    }
    if (item->title)
        buf_printf(out, " title=%s", item->title);
    if (item->url)
        buf_printf(out, " url=%s", item->url);
    for (size_t i = 0; i < item->n_acl; i++)
        buf_printf(out, " [%s]", item->acl[i]);
    if (item->has_acl && !item->n_acl)
        buf_puts(out, " []");
    if (item->metadata)
        buf_printf(out, " %zu members", json_object_size(item->metadata));
    buf_printf(out, " \"%.*s\"\n", (int)len, bytes);
}

static void read_all(const char *path, struct buf *out) {
    struct ingest_jsonl *j = NULL;
    struct arena a;
    struct document_item item;
    qa_error err = {0};
    bool more = true;
    qa_status status = QA_OK;
    if (ingest_open_jsonl(path, NULL, &j, &err) != QA_OK)
        fail_msg("%s", err.message);
    struct documents_port port = ingest_jsonl_port(j);
    assert_false(port.complete);
    arena_init(&a, 1 << 20);
    buf_init(out, 1 << 20);
    buf_put(out, "", 0);
    while ((status = port.ops->next(port.self, &a, &item, &more, &err)) == QA_OK && more) {
        describe(&port, &item, &a, out);
        port.ops->release(port.self, &item);
    }
    assert_int_equal(status, QA_OK);
    arena_free(&a);
    ingest_close_jsonl(j);
}

static void check(const char *lines, const char *expected) {
    struct buf out;
    char here[300];
    assert_non_null(getcwd(here, sizeof here));
    fake_tree_put(&tree, "in.jsonl", lines);
    assert_int_equal(chdir(tree.root), 0);
    read_all("in.jsonl", &out);
    assert_int_equal(chdir(here), 0);
    for (char *at = strstr(out.data, tree.root); at; at = strstr(at, tree.root)) { /* as $ */
        *at++ = '$';
        memmove(at, at + strlen(tree.root) - 1, strlen(at + strlen(tree.root) - 1) + 1);
    }
    if (strcmp(out.data, expected) != 0)
        fail_msg("%s\n gave\n%s not\n%s", lines, out.data, expected);
    buf_free(&out);
}

static void test_rows(void **state) {
    (void)state;
    static const struct {
        const char *line, *expected;
    } rows[] = {
        {"{\"source\":\"s\",\"path\":\"a.md\",\"content\":\"x\"}", "s:a.md \"x\"\n"},
        {"{\"path\":\"a.md\",\"content\":\"\"}", "-:a.md \"\"\n"},
        {"{\"source\":\"s\",\"path\":\"d/a.md\",\"title\":\"T\",\"url\":\"https://x/y\",\"acl\":[\"g\",\"h\"],\"metadata\":{\"k\":1},\"content\":\"x\"}",
         "s:d/a.md title=T url=https://x/y [g] [h] 1 members \"x\"\n"},
        {"{\"path\":\"a.md\",\"acl\":\"staff\",\"content\":\"x\"}", "-:a.md [staff] \"x\"\n"},
        {"{\"path\":\"a.md\",\"acl\":[],\"content\":\"x\"}", "-:a.md [] \"x\"\n"},
        {"{\"path\":\"a.md\",\"title\":null,\"url\":null,\"acl\":null,\"metadata\":null,\"file\":null,\"content\":\"x\"}", "-:a.md \"x\"\n"},
        {"{\"source\":\"s\",\"path\":\"a.md\",\"deleted\":true}", "s:a.md deleted\n"},
        {"{\"source\":\"s\",\"path\":\"a.md\",\"deleted\":false,\"content\":\"x\"}", "s:a.md \"x\"\n"},
        {"{\"path\":\"..a/b..md\",\"content\":\"x\"}", "-:..a/b..md \"x\"\n"},
        {"{\"path\":\"a\",\"content\":\"x\"", "-:- bad_input: line 1 of in.jsonl: not JSON at column 25: '}' expected near end of file\n"},
        {"[]", "-:- bad_input: line 1 of in.jsonl: not an object\n"},
        {"{\"content\":\"x\"}", "-:- bad_input: line 1 of in.jsonl: \"path\" is missing\n"},
        {"{\"path\":\"\",\"content\":\"x\"}", "-:- bad_input: line 1 of in.jsonl: \"path\" is empty\n"},
        {"{\"path\":7,\"content\":\"x\"}", "-:- bad_input: line 1 of in.jsonl: \"path\" must be a string\n"},
        {"{\"path\":\"/etc/passwd\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: \"path\" must be relative to the source, not \"/etc/passwd\"\n"},
        {"{\"path\":\"a/../b\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: \"path\" is \"a/../b\": write it without empty parts, \".\" and \"..\"\n"},
        {"{\"path\":\"a//b\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: \"path\" is \"a//b\": write it without empty parts, \".\" and \"..\"\n"},
        {"{\"path\":\"a/\",\"content\":\"x\"}", "-:- bad_input: line 1 of in.jsonl: \"path\" is \"a/\": write it without empty parts, \".\" and \"..\"\n"},
        {"{\"path\":\"./a\",\"content\":\"x\"}", "-:- bad_input: line 1 of in.jsonl: \"path\" is \"./a\": write it without empty parts, \".\" and \"..\"\n"},
        {"{\"path\":\"a\\\\..\\\\b\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: \"path\" has a backslash at byte 1: write '/' between its parts and nothing else that is special\n"},
        {"{\"path\":\"a\\u000ab\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: \"path\" has a control character at byte 1: write '/' between its parts and nothing else that is special\n"},
        {"{\"path\":\"a\\u0000b\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: not JSON at column 18: a text holds the character \\u0000, which is not taken\n"},
        {"{\"source\":\"a:b\",\"path\":\"a\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: \"source\": \"a:b\" cannot name a source: 1 to 200 bytes of text without '/', ':', control characters and "
         "blanks at the ends\n"},
        {"{\"path\":\"a\"}", "-:a bad_input: line 1 of in.jsonl: neither \"content\" nor \"file\" says what the document is\n"},
        {"{\"path\":\"a\",\"content\":\"x\",\"file\":\"y\"}",
         "-:a bad_input: line 1 of in.jsonl: \"content\" and \"file\" are given: one of them says what the document is\n"},
        {"{\"path\":\"a\",\"content\":7}", "-:a bad_input: line 1 of in.jsonl: \"content\" must be a string\n"},
        {"{\"path\":\"a\",\"content\":\"x\",\"acls\":[\"g\"]}",
         "-:a bad_input: line 1 of in.jsonl: unknown member \"acls\"; what describes a document goes into \"metadata\"\n"},
        {"{\"path\":\"a\",\"content\":\"x\",\"acl\":[7]}",
         "-:a bad_config: line 1 of in.jsonl: \"acl\" must be a list of groups, and its element 1 is no string\n"},
        {"{\"path\":\"a\",\"content\":\"x\",\"acl\":{}}", "-:a bad_config: line 1 of in.jsonl: \"acl\" must be a list of groups\n"},
        {"{\"path\":\"a\",\"content\":\"x\",\"acl\":[\"public\",\"g\"]}",
         "-:a bad_config: line 1 of in.jsonl: \"acl\": \"public\" stands alone: it cannot be combined with groups\n"},
        {"{\"path\":\"a\",\"content\":\"x\",\"metadata\":[]}", "-:a bad_input: line 1 of in.jsonl: \"metadata\" must be an object\n"},
        {"{\"path\":\"a\",\"content\":\"x\",\"url\":\"javascript:x\"}",
         "-:a bad_input: line 1 of in.jsonl: \"url\" must be absolute, such as https://example.com/page\n"},
        {"{\"path\":\"a\",\"deleted\":\"yes\"}", "-:a bad_input: line 1 of in.jsonl: \"deleted\" must be true or false\n"},
        {"{\"path\":\"a\",\"path\":\"b\",\"content\":\"x\"}",
         "-:- bad_input: line 1 of in.jsonl: not JSON at column 18: duplicate object key near '\"path\"'\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(rows[i].line, rows[i].expected);
}

static void test_a_bad_line_spoils_no_other(void **state) {
    (void)state;
    check("\xEF\xBB\xBF{\"path\":\"a.md\",\"content\":\"1\"}\r\n"
          "\n   \n"
          "{oops}\n"
          "{\"path\":\"b.md\",\"content\":\"2\"}\n"
          "\xFF\n"
          "{\"path\":\"c.md\",\"content\":\"3\"}",
          "-:a.md \"1\"\n"
          "-:- bad_input: line 4 of in.jsonl: not JSON at column 5: string or '}' expected near 'oops'\n"
          "-:b.md \"2\"\n"
          "-:- bad_input: line 6 of in.jsonl: not JSON at column 0: unable to decode byte 0xff\n"
          "-:c.md \"3\"\n");
}

static void test_files(void **state) {
    (void)state;
    fake_tree_put(&tree, "sub/x.md", "from a file");
    fake_tree_put(&tree, "sub/x.png", "no");
    fake_tree_link(&tree, "sub/link.md", "../sub/x.md");
    fake_tree_link(&tree, "sub/whole.md", fake_tree_path(&tree, "sub/x.md"));
    fake_tree_link(&tree, "out.md", "/etc/hostname");
    fake_tree_link(&tree, "up", "..");
    fake_tree_link(&tree, "loop.md", "loop.md");
    assert_int_equal(mkfifo(fake_tree_path(&tree, "pipe"), 0600), 0);
    check("{\"path\":\"a.md\",\"file\":\"sub/x.md\"}\n"
          "{\"path\":\"page/7\",\"file\":\"sub/x.md\"}\n"
          "{\"path\":\"a\",\"file\":\"sub/x.png\"}\n"
          "{\"path\":\"b.md\",\"file\":\"missing.md\"}\n"
          "{\"path\":\"c.md\",\"file\":\"pipe\"}\n"
          "{\"path\":\"d.md\",\"file\":\"/dev/zero\"}\n"
          "{\"path\":\"e.md\",\"file\":\"sub\"}\n"
          "{\"path\":\"f.md\",\"file\":\"sub/link.md\"}\n"
          "{\"path\":\"g.md\",\"file\":\"./sub//whole.md\"}\n"
          "{\"path\":\"h.md\",\"file\":\"out.md\"}\n"
          "{\"path\":\"i.md\",\"file\":\"up/x.md\"}\n"
          "{\"path\":\"j.md\",\"file\":\"sub/../sub/x.md\"}\n"
          "{\"path\":\"k.md\",\"file\":\"..\"}\n"
          "{\"path\":\"l.md\",\"file\":\"\"}\n"
          "{\"path\":\"m.md\",\"file\":\"loop.md\"}\n"
          "{\"path\":\"n.md\",\"file\":\"sub/..x.md\"}\n",
          "-:a.md \"from a file\"\n"
          "-:page/7 \"from a file\"\n"
          "-:a unsupported: sub/x.png: files of this type are not read\n"
          "-:b.md io: line 4 of in.jsonl: there is no file missing.md\n"
          "-:c.md io: line 5 of in.jsonl: $/pipe: not a regular file\n"
          "-:d.md bad_input: line 6 of in.jsonl: \"file\" must be relative to the folder of the lines, not \"/dev/zero\"\n"
          "-:e.md io: line 7 of in.jsonl: $/sub: not a regular file\n"
          "-:f.md \"from a file\"\n"
          "-:g.md \"from a file\"\n"
          "-:h.md bad_input: line 10 of in.jsonl: \"file\" must lie in the folder of the lines, and out.md is a link that leads out of it\n"
          "-:i.md io: line 11 of in.jsonl: there is no file up/x.md\n"
          "-:j.md bad_input: line 12 of in.jsonl: \"file\" must lie in the folder of the lines, so there is no \"..\" in it as in \"sub/../sub/x.md\"\n"
          "-:k.md bad_input: line 13 of in.jsonl: \"file\" must lie in the folder of the lines, so there is no \"..\" in it as in \"..\"\n"
          "-:l.md bad_input: line 14 of in.jsonl: \"file\" is empty\n"
          "-:m.md io: line 15 of in.jsonl: \"file\": loop.md: Too many levels of symbolic links\n"
          "-:n.md io: line 16 of in.jsonl: there is no file sub/..x.md\n");
}

/* A folder whose name another begins with is not that folder. */
static void test_a_folder_beside_it(void **state) {
    (void)state;
    struct buf out;
    fake_tree_put(&tree, "a/in.jsonl", "{\"path\":\"a.md\",\"file\":\"x.md\"}\n");
    fake_tree_put(&tree, "a-secret/x.md", "secret");
    fake_tree_link(&tree, "a/x.md", "../a-secret/x.md");
    read_all(fake_tree_path(&tree, "a/in.jsonl"), &out);
    assert_non_null(strstr(out.data, "is a link that leads out of it"));
    buf_free(&out);
}

static void test_standard_input(void **state) {
    (void)state;
    struct buf out;
    fake_tree_put(&tree, "in", "{\"path\":\"a.md\",\"content\":\"1\"}\n{\"path\":\"b.md\",\"file\":\"in\"}\n");
    int saved = dup(STDIN_FILENO);
    assert_non_null(freopen(fake_tree_path(&tree, "in"), "rb", stdin));
    read_all("-", &out);
    assert_string_equal(out.data, "-:a.md \"1\"\n-:b.md bad_input: line 2 of standard input: \"file\" stands only in a file of lines, as what lies beside "
                                  "it; for standard input give \"content\"\n");
    buf_free(&out);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void test_what_is_no_file_of_lines(void **state) {
    (void)state;
    struct ingest_jsonl *j = NULL;
    qa_error err = {0};
    assert_int_equal(ingest_open_jsonl(fake_tree_path(&tree, "missing"), NULL, &j, &err), QA_NOT_FOUND);
    assert_int_equal(ingest_open_jsonl(tree.root, NULL, &j, &err), QA_BAD_USAGE);
    assert_null(j);
}

/* A line over the ceiling is read to its end and forgotten; memory does not follow it. */
static void test_endless_line(void **state) {
    (void)state;
    struct buf out;
    static char block[1 << 20];
    FILE *f = fopen(fake_tree_path(&tree, "in.jsonl"), "wb");
    assert_non_null(f);
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 97; i++)
        assert_int_equal(fwrite(block, 1, sizeof block, f), sizeof block);
    fputs("\n{\"path\":\"a.md\",\"content\":\"1\"}\n", f);
    assert_int_equal(fclose(f), 0);
    read_all(fake_tree_path(&tree, "in.jsonl"), &out);
    assert_non_null(strstr(out.data, "too_large: line 1 of "));
    assert_non_null(strstr(out.data, "longer than 96 MiB\n-:a.md \"1\"\n"));
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bad_line_spoils_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_beside_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_standard_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_of_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
