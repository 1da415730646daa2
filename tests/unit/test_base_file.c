// wrap: read
// read is wrapped so that a file can be changed at the one moment that matters, without a race.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[200], back[4096];
static struct arena arena = {.ceiling = 16 << 20};

/* ---- A folder of its own for each test, which is also the working folder ---- */

static int enter(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/quaere-file-XXXXXX", tmp ? tmp : "/tmp");
    return getcwd(back, sizeof back) && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static void empty(const char *dir) {
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[600];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            empty(path);
        remove(path);
    }
    closedir(d);
}

static int leave(void **state) {
    (void)state;
    arena_free(&arena);
    empty(folder);
    return chdir(back) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static size_t count_entries(void) {
    size_t n = 0;
    DIR *d = opendir(".");
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void put(const char *path, const char *content) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
}

static void assert_holds(const char *path, const char *content) {
    char *data = NULL;
    size_t len = 0;
    assert_int_equal(file_read(&arena, path, 1000, &data, &len, NULL), QA_OK);
    assert_string_equal(data, content);
    assert_int_equal(len, strlen(content));
}

/* ---- Something happens just before the Nth read ---- */

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
static void (*before_read)(void);
static int times;

ssize_t __wrap_read(int fd, void *to, size_t n) {
    if (before_read && times > 0) {
        times--;
        before_read();
    }
    return __real_read(fd, to, n);
}

static void append(void) {
    int fd = open("a.md", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "+", 1), 1);
    close(fd);
}
static void shorten(void) { assert_int_equal(truncate("a.md", 3), 0); }
static void rewrite_in_place(void) {
    static long seconds = 1000;
    int fd = open("a.md", O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "X", 1), 1);
    seconds++;
    const struct timespec when[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(futimens(fd, when), 0);
    close(fd);
}

static void a_file_that_changes_is_read_again(void **state) {
    (void)state;
    static const struct {
        const char *what;
        void (*happens)(void);
        int times;
        const char *content; /* NULL: given up */
    } rows[] = {
        {"it grew once", append, 1, "0123456789+"},
        {"it grew twice", append, 2, "0123456789++"},
        {"it never stops growing", append, 3, NULL},
        {"it was cut short", shorten, 1, "012"},
        {"the same length, other bytes", rewrite_in_place, 2, "X123456789"},
        {"the same length, again and again", rewrite_in_place, 3, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *data = NULL;
        size_t len = 0;
        qa_error err = {0};
        put("a.md", "0123456789");
        before_read = rows[i].happens;
        times = rows[i].times;
        qa_status status = file_read(&arena, "a.md", 100, &data, &len, &err);
        before_read = NULL;
        if (status != (rows[i].content ? QA_OK : QA_IO) || (rows[i].content && strcmp(data, rows[i].content) != 0))
            fail_msg("%s: %s", rows[i].what, status == QA_OK ? data : err.message);
        if (!rows[i].content)
            assert_string_equal(err.message, "a.md: changed while it was being read");
    }
}

static void reading(void **state) {
    (void)state;
    char *data = NULL;
    size_t len = 99;
    qa_error err = {0};
    put("empty", "");
    assert_int_equal(file_read(&arena, "empty", 0, &data, &len, &err), QA_OK);
    assert_int_equal(len, 0);
    assert_string_equal(data, "");
    FILE *f = fopen("nul", "w");
    fwrite("a\0b", 1, 3, f);
    fclose(f);
    assert_int_equal(file_read(&arena, "nul", 3, &data, &len, &err), QA_OK); /* exactly the limit */
    assert_int_equal(len, 3);
    assert_memory_equal(data, "a\0b", 4);
    assert_int_equal(symlink("nul", "link"), 0);
    assert_int_equal(file_read(&arena, "link", 3, &data, &len, &err), QA_OK);
}

static void what_is_no_readable_file(void **state) {
    (void)state;
    put("long", "1234");
    assert_int_equal(mkdir("dir", 0777), 0);
    assert_int_equal(mkfifo("fifo", 0666), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    static const struct {
        const char *path;
        qa_status status;
        const char *message;
    } rows[] = {
        {"gone", QA_NOT_FOUND, "gone: No such file or directory"},
        {"long/x", QA_IO, "long/x: Not a directory"},
        {"long", QA_TOO_LARGE, "long: 4 bytes, and the limit for one file is 3"},
        {"dir", QA_IO, "dir: not a regular file"},
        {"fifo", QA_IO, "fifo: not a regular file"},
        {"/dev/zero", QA_IO, "/dev/zero: not a regular file"},
        {"loop", QA_IO, "loop: Too many levels of symbolic links"},
    };
    alarm(20); /* a FIFO without a writer must not block */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *data = NULL;
        size_t len = 0;
        qa_error err = {0};
        assert_int_equal(file_read(&arena, rows[i].path, 3, &data, &len, &err), rows[i].status);
        assert_string_equal(err.message, rows[i].message);
        assert_null(data);
    }
    alarm(0);
}

static void the_arena_limits_too(void **state) {
    (void)state;
    struct arena small = {.ceiling = 1 << 20};
    char *data = NULL;
    size_t len = 0;
    qa_error err = {0};
    put("a.md", "");
    assert_int_equal(truncate("a.md", 2 << 20), 0);
    assert_int_equal(file_read(&small, "a.md", 4 << 20, &data, &len, &err), QA_TOO_LARGE);
    assert_string_equal(err.message, "a.md needs more than the 1 MiB of memory allowed for it");
    arena_free(&small);
}

static void stat_tells_what_it_is(void **state) {
    (void)state;
    struct file_stat file, dir, link;
    put("a", "123");
    assert_int_equal(symlink("a", "l"), 0);
    assert_int_equal(file_stat("a", &file, NULL), QA_OK);
    assert_true(file.size == 3 && file.is_regular && !file.is_dir && file.mtime_ns > 0);
    assert_int_equal(file_stat(".", &dir, NULL), QA_OK);
    assert_true(dir.is_dir && !dir.is_regular && dir.inode != file.inode);
    assert_int_equal(file_stat("l", &link, NULL), QA_OK);
    assert_true(link.inode == file.inode && link.device == file.device);
    assert_int_equal(file_stat("gone", &file, NULL), QA_NOT_FOUND);
}

/* ---- Writing ---- */

static void writing_replaces_whole(void **state) {
    (void)state;
    assert_int_equal(file_write_atomic("a", "first", 5, NULL), QA_OK);
    assert_holds("a", "first");
    assert_int_equal(file_write_atomic("./a", "2", 1, NULL), QA_OK);
    assert_holds("a", "2");
    assert_int_equal(file_write_atomic("a", NULL, 0, NULL), QA_OK);
    assert_holds("a", "");
    char absolute[300];
    snprintf(absolute, sizeof absolute, "%s/b", folder);
    assert_int_equal(file_write_atomic(absolute, "b", 1, NULL), QA_OK);
    assert_holds("b", "b");
    assert_int_equal(count_entries(), 2); /* nothing temporary stays */
}

/* Whoever has the file open goes on reading the old one. */
static void a_reader_keeps_what_it_opened(void **state) {
    (void)state;
    char got[10] = "";
    put("a", "old");
    int fd = open("a", O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_write_atomic("a", "new", 3, NULL), QA_OK);
    assert_int_equal(read(fd, got, 9), 3);
    close(fd);
    assert_string_equal(got, "old");
}

static void permissions_follow_the_umask(void **state) {
    (void)state;
    static const mode_t rows[][2] = {{0022, 0644}, {0077, 0600}, {0002, 0664}, {0, 0666}};
    for (size_t i = 0; i < 4; i++) {
        struct stat st;
        mode_t before = umask(rows[i][0]);
        assert_int_equal(file_write_atomic("a", "x", 1, NULL), QA_OK);
        assert_int_equal(umask(before), rows[i][0]); /* and it is as it was */
        assert_int_equal(stat("a", &st), 0);
        assert_int_equal(st.st_mode & 07777, rows[i][1]);
    }
}

static void a_failed_write_leaves_things_alone(void **state) {
    (void)state;
    qa_error err = {0};
    assert_int_equal(mkdir("dir", 0777), 0);
    put("dir/inside", "kept");
    assert_int_equal(file_write_atomic("dir", "x", 1, &err), QA_IO); /* found out by the rename */
    assert_string_equal(err.message, "dir: Is a directory");
    assert_holds("dir/inside", "kept");
    assert_int_equal(file_write_atomic("gone/a", "x", 1, &err), QA_NOT_FOUND);
    assert_string_equal(err.message, "cannot create a file beside gone/a: No such file or directory");
    assert_int_equal(file_write_atomic("dir/inside/a", "x", 1, &err), QA_IO);
    assert_int_equal(count_entries(), 1);
}

static void folders_are_made_as_needed(void **state) {
    (void)state;
    static const struct {
        const char *path, *check;
    } rows[] = {{"a", "a"}, {"b/", "b"}, {"c/d/e", "c/d/e"}, {"./f", "f"}, {"g//h///", "g/h"}, {"c/../i", "i"}, {"c/d", "c/d"}, {".", "."}, {"", "."}, {"/", "/"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct file_stat st;
        qa_error err = {0};
        if (file_make_dirs(rows[i].path, &err) != QA_OK)
            fail_msg("'%s': %s", rows[i].path, err.message);
        if (file_stat(rows[i].check, &st, &err) != QA_OK || !st.is_dir)
            fail_msg("'%s' made no folder %s", rows[i].path, rows[i].check);
    }
    char absolute[300];
    snprintf(absolute, sizeof absolute, "%s/x/y", folder);
    assert_int_equal(file_make_dirs(absolute, NULL), QA_OK);
    struct stat st;
    assert_int_equal(stat("x/y", &st), 0);
}

static void a_file_in_the_way(void **state) {
    (void)state;
    qa_error err = {0};
    put("file", "x");
    assert_int_equal(file_make_dirs("file", &err), QA_IO);
    assert_string_equal(err.message, "cannot make the folder file: Not a directory");
    assert_int_equal(file_make_dirs("file/sub", &err), QA_IO);
    assert_string_equal(err.message, "cannot make the folder file: Not a directory");
    assert_holds("file", "x");
}

/* ---- Names ---- */

static void absolute_paths_are_folded(void **state) {
    (void)state;
    static const struct {
        const char *path, *absolute; /* starting with ~: in the working folder */
    } rows[] = {
        {"/", "/"},           {"/a/b", "/a/b"},      {"/a//b/", "/a/b"},  {"/a/./b/.", "/a/b"}, {"/a/../b", "/b"},  {"/..", "/"},
        {"/../../a", "/a"},   {"/a/b/../..", "/"},   {"/a/..b/c..", "/a/..b/c.."}, {"/...", "/..."}, {"//", "/"},   {"a", "~/a"},
        {"./a", "~/a"},       {".", "~"},            {"a/..", "~"},       {"", "~"},            {"a/b/../../c", "~/c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[4200], here[4096];
        bool in = rows[i].absolute[0] == '~';
        snprintf(want, sizeof want, "%s%s", in ? getcwd(here, sizeof here) : "", rows[i].absolute + in);
        assert_string_equal(file_absolute(&arena, rows[i].path), want);
    }
    char *up = file_absolute(&arena, ".."), *below = file_absolute(&arena, ".");
    assert_true(strncmp(up, below, strlen(up)) == 0 && strlen(up) < strlen(below));
}

static void joining_and_parting(void **state) {
    (void)state;
    assert_string_equal(file_join(&arena, "a", "b"), "a/b");
    assert_string_equal(file_join(&arena, "a/", "b"), "a/b");
    assert_string_equal(file_join(&arena, "/", "b"), "/b");
    assert_string_equal(file_join(&arena, "", "b"), "b");
    assert_string_equal(file_join(&arena, "a", "/b"), "/b");
    assert_string_equal(file_dirname(&arena, "a/b/c"), "a/b");
    assert_string_equal(file_dirname(&arena, "/a"), "/");
    assert_string_equal(file_dirname(&arena, "a"), ".");
    assert_string_equal(file_basename("a/b"), "b");
    assert_string_equal(file_basename("b"), "b");
    assert_string_equal(file_basename("a/"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_changes_is_read_again, enter, leave),
        cmocka_unit_test_setup_teardown(reading, enter, leave),
        cmocka_unit_test_setup_teardown(what_is_no_readable_file, enter, leave),
        cmocka_unit_test_setup_teardown(the_arena_limits_too, enter, leave),
        cmocka_unit_test_setup_teardown(stat_tells_what_it_is, enter, leave),
        cmocka_unit_test_setup_teardown(writing_replaces_whole, enter, leave),
        cmocka_unit_test_setup_teardown(a_reader_keeps_what_it_opened, enter, leave),
        cmocka_unit_test_setup_teardown(permissions_follow_the_umask, enter, leave),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_things_alone, enter, leave),
        cmocka_unit_test_setup_teardown(folders_are_made_as_needed, enter, leave),
        cmocka_unit_test_setup_teardown(a_file_in_the_way, enter, leave),
        cmocka_unit_test_setup_teardown(absolute_paths_are_folded, enter, leave),
        cmocka_unit_test_setup_teardown(joining_and_parting, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
