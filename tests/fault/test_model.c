// Model files: every allocation and every call to the system fails once, or from then on, until a run meets no fault. Nothing leaks, nothing half-made stays
// under its name, and the next run without faults ends well.
// wrap: malloc,calloc,realloc,strdup,asprintf,write,read,fsync,rename,mmap64,flock,posix_spawnp,waitpid
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "fake/fake_bert.h"
#include "model/model.h"
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool armed, persistent, met;
static long calls, fail_at;

static bool fails(int number) {
    if (!armed)
        return false;
    long n = calls++;
    bool now = persistent ? n >= fail_at : n == fail_at;
    met = met || now;
    if (now)
        errno = number;
    return now;
}

void *__real_malloc(size_t n), *__real_calloc(size_t n, size_t size), *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
ssize_t __real_write(int fd, const void *bytes, size_t n), __real_read(int fd, void *bytes, size_t n);
int __real_fsync(int fd), __real_rename(const char *from, const char *to), __real_flock(int fd, int how);
void *__real_mmap64(void *at, size_t n, int how, int flags, int fd, off_t offset);
int __real_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files, const posix_spawnattr_t *how, char *const *argv, char *const *env);
pid_t __real_waitpid(pid_t pid, int *state, int options);

void *__wrap_malloc(size_t n) { return fails(ENOMEM) ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails(ENOMEM) ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails(ENOMEM) ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return fails(ENOMEM) ? NULL : __real_strdup(s); }
int __wrap_asprintf(char **out, const char *format, ...) {
    va_list args;
    if (fails(ENOMEM))
        return -1;
    va_start(args, format);
    int n = vasprintf(out, format, args);
    va_end(args);
    return n;
}
ssize_t __wrap_write(int fd, const void *bytes, size_t n) { return fails(ENOSPC) ? -1 : __real_write(fd, bytes, armed && n > 1000 ? 1000 : n); }
ssize_t __wrap_read(int fd, void *bytes, size_t n) { return fails(EIO) ? -1 : __real_read(fd, bytes, n); }
int __wrap_fsync(int fd) { return fails(EIO) ? -1 : __real_fsync(fd); }
int __wrap_rename(const char *from, const char *to) { return fails(EACCES) ? -1 : __real_rename(from, to); }
int __wrap_flock(int fd, int how) { return fails(ENOLCK) ? -1 : __real_flock(fd, how); }
void *__wrap_mmap64(void *at, size_t n, int how, int flags, int fd, off_t offset) { return fails(ENODEV) ? MAP_FAILED : __real_mmap64(at, n, how, flags, fd, offset); }
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files, const posix_spawnattr_t *how, char *const *argv,
                        char *const *env) {
    return fails(EAGAIN) ? EAGAIN : __real_posix_spawnp(pid, file, files, how, argv, env);
}
pid_t __wrap_waitpid(pid_t pid, int *state, int options) { return fails(EINTR) && !persistent ? -1 : __real_waitpid(pid, state, options); }

static struct fake_tree tree;
static char folder[300], out[300];

static void sweep(void (*attempt)(void)) {
    for (int mode = 0; mode < 2; mode++)
        for (long n = 0;; n++) {
            assert_true(n < 20000);
            persistent = mode == 1;
            fail_at = n;
            calls = 0;
            met = false;
            attempt();
            armed = false;
            if (!met)
                break;
        }
    fail_at = LONG_MAX;
}

static void check(qa_status status, const qa_error *err) {
    bool accepted = status == QA_NO_MEMORY || status == QA_IO || status == QA_REMOTE;
    if (status != QA_OK && (!accepted || !err->message[0]))
        fail_msg("fault %ld%s: status %d, %s", fail_at, persistent ? " and on" : "", status, err->message);
}

static void import_once(void) {
    qa_error err = {0};
    unlink(out);
    armed = true;
    qa_status status = model_import(folder, out, &err);
    armed = false;
    check(status, &err);
    /* only the fsync of the folder comes after the name */
    if (access(out, F_OK) == 0 && model_check(out, &err) != QA_OK)
        fail_msg("fault %ld left half a file: %s", fail_at, err.message);
    assert_true(status != QA_OK || access(out, F_OK) == 0);
}

static void importing(void **state) {
    (void)state;
    fake_tree_make(&tree);
    fake_bert_make(&tree, "model", &(struct fake_bert){0});
    fake_tree_put(&tree, "model/tokenizer.json", "{\"model\": {\"type\": \"WordPiece\"}, \"added_tokens\": [{\"id\": 0, \"special\": true}]}");
    snprintf(folder, sizeof folder, "%s/model", tree.root);
    snprintf(out, sizeof out, "%s/out/m.gguf", tree.root);
    fake_tree_put(&tree, "out/x", "");
    sweep(import_once);
    import_once();
    assert_int_equal(access(out, F_OK), 0);
    fake_tree_delete(&tree, "out/x");
    fake_tree_delete(&tree, "out/m.gguf");
    assert_int_equal(rmdir(fake_tree_path(&tree, "out")), 0); /* nothing temporary is left */
    fake_tree_remove(&tree);
}

static void inspect_once(void) {
    struct arena a = {.ceiling = 1 << 20};
    struct model_file f;
    qa_error err = {0};
    armed = true;
    qa_status status = model_inspect(&a, out, NULL, &f, &err);
    armed = false;
    check(status, &err);
    assert_true(status != QA_OK || f.parameters > 0);
    arena_free(&a);
}

static void inspecting(void **state) {
    (void)state;
    fake_tree_make(&tree);
    fake_bert_make(&tree, "model", &(struct fake_bert){0});
    snprintf(out, sizeof out, "%s/m.gguf", tree.root);
    assert_int_equal(model_import(fake_tree_path(&tree, "model"), out, NULL), QA_OK);
    sweep(inspect_once);
    fake_tree_remove(&tree);
}

/* A fault on the way to a stamp costs only time; what is told of the file is right in any case. */
static char sum[SHA256_HEX];
static void identify_once(void) {
    struct model_identity id;
    qa_error err = {0};
    for (int again = 0; again < 3; again++) {
        armed = true;
        qa_status status = model_identify(out, NULL, &id, &err);
        if (status == QA_OK && again == 1)
            model_note_trial(out, &id, "9.9");
        armed = false;
        check(status, &err);
        if (status == QA_OK)
            assert_string_equal(id.sha256, sum);
        assert_true(status != QA_OK || !id.tried[0] || strcmp(id.tried, "9.9") == 0);
    }
    fake_tree_delete(&tree, "m.gguf.stamp");
    fake_tree_delete(&tree, "cache");
}

static void identifying(void **state) {
    (void)state;
    fake_tree_make(&tree);
    fake_bert_make(&tree, "model", &(struct fake_bert){0});
    snprintf(out, sizeof out, "%s/m.gguf", tree.root);
    setenv("QUAERE_MODELS", tree.root, 1);
    setenv("XDG_CACHE_HOME", fake_tree_path(&tree, "cache"), 1);
    assert_int_equal(model_import(fake_tree_path(&tree, "model"), out, NULL), QA_OK);
    assert_int_equal(sha256_file(out, NULL, NULL, NULL, sum, NULL), QA_OK);
    sweep(identify_once);
    unsetenv("QUAERE_MODELS");
    unsetenv("XDG_CACHE_HOME");
    fake_tree_remove(&tree);
}

static void list_once(void) {
    struct arena a = {.ceiling = 16 << 20};
    struct model_list list;
    qa_error err = {0};
    armed = true;
    qa_status status = model_load_list(&a, &list, &err);
    armed = false;
    check(status, &err);
    assert_true(status != QA_OK || model_find(&list, "mine"));
    arena_free(&a);
}

static void listing(void **state) {
    (void)state;
    fake_tree_make(&tree);
    fake_tree_put(&tree, "quaere/models.conf", "model mine\nrole generator\nabout x\nlicence y\n");
    setenv("XDG_CONFIG_HOME", tree.root, 1);
    sweep(list_once);
    unsetenv("XDG_CONFIG_HOME");
    fake_tree_remove(&tree);
}

/* A package of two slices through a stand-in for pip, whose archives are tarballs with the name of wheels. */
static struct model_entry entry;

static void pull_once(void) {
    qa_error err = {0};
    fake_tree_delete(&tree, "models");
    armed = true;
    qa_status status = model_pull(&entry, NULL, &err);
    armed = false;
    check(status, &err);
    bool here = access(fake_tree_path(&tree, "models/m.gguf"), F_OK) == 0;
    assert_true(here || status != QA_OK);
    struct arena a = {.ceiling = 1 << 20};
    struct model_file f;
    if (here)
        assert_int_equal(model_verify(&a, &entry, NULL, &f, NULL), QA_OK);
    else if (!persistent && fail_at % 10 == 0) /* what was left is no hindrance */
        assert_int_equal(model_pull(&entry, NULL, &err), QA_OK);
    arena_free(&a);
}

static void pulling(void **state) {
    (void)state;
    static const struct model_source source = {"pypi", "a==1 b==1", "one two"};
    static char sha256[SHA256_HEX];
    char command[2000], path[600], *old = __real_strdup(getenv("PATH") ? getenv("PATH") : "");
    struct stat st;
    fake_tree_make(&tree);
    fake_bert_make(&tree, "model", &(struct fake_bert){0});
    assert_int_equal(model_import(fake_tree_path(&tree, "model"), fake_tree_path(&tree, "m.gguf"), NULL), QA_OK);
    assert_int_equal(sha256_file(fake_tree_path(&tree, "m.gguf"), NULL, NULL, NULL, sha256, NULL), QA_OK);
    assert_int_equal(stat(fake_tree_path(&tree, "m.gguf"), &st), 0);
    snprintf(command, sizeof command, "cd %s && head -c 1000 m.gguf >one && tail -c +1001 m.gguf >two && tar -cf a.tar one && tar -cf b.tar two", tree.root);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\nfor last; do :; done\ncp %s/\"${last%%%%==*}\".tar x.whl\n", tree.root);
    fake_tree_put(&tree, "bin/python3", command);
    assert_int_equal(chmod(fake_tree_path(&tree, "bin/python3"), 0755), 0);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", tree.root);
    setenv("PATH", path, 1);
    setenv("QUAERE_MODELS", fake_tree_path(&tree, "models"), 1);
    entry = (struct model_entry){.name = "m", .licence = "x", .about = "y", .role = MODEL_EMBEDDER, .sha256 = sha256, .bytes = (uint64_t)st.st_size,
                                 .sources = &source, .n_sources = 1};
    sweep(pull_once);
    setenv("PATH", old, 1);
    unsetenv("QUAERE_MODELS");
    free(old);
    fake_tree_remove(&tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(importing), cmocka_unit_test(inspecting), cmocka_unit_test(identifying), cmocka_unit_test(listing), cmocka_unit_test(pulling)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
