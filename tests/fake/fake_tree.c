#include "fake/fake_tree.h"
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int good, const char *what) {
    if (good)
        return;
    perror(what);
    abort();
}

const char *fake_tree_path(const struct fake_tree *t, const char *path) {
    static char out[4][PATH_MAX];
    static unsigned at;
    char *p = out[at++ % 4];
    snprintf(p, PATH_MAX, "%s%s%s", t->root, *path ? "/" : "", path);
    return p;
}

void fake_tree_make(struct fake_tree *t) {
    const char *tmp = getenv("TMPDIR");
    char name[200], resolved[PATH_MAX];
    snprintf(name, sizeof name, "%s/quaere-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    must(mkdtemp(name) != NULL && realpath(name, resolved) && strlen(resolved) < sizeof t->root, name);
    strcpy(t->root, resolved);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)ftw;
    if (type == FTW_D || type == FTW_DNR)
        (void)!chmod(path, st->st_mode | 0700);
    return 0;
}

static void remove_all(const char *path) {
    nftw(path, open_up, 16, FTW_PHYS);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fake_tree_remove(struct fake_tree *t) { remove_all(t->root); }
void fake_tree_delete(const struct fake_tree *t, const char *path) { remove_all(fake_tree_path(t, path)); }

static void make_folders(const char *full) {
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", full);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        must(mkdir(copy, 0777) == 0 || errno == EEXIST, copy);
        *slash = '/';
    }
}

void fake_tree_put(const struct fake_tree *t, const char *path, const char *content) {
    const char *full = fake_tree_path(t, path);
    make_folders(full);
    if (!content) {
        must(mkdir(full, 0777) == 0 || errno == EEXIST, full);
        return;
    }
    FILE *file = fopen(full, "wb");
    must(file != NULL, full);
    must(fwrite(content, 1, strlen(content), file) == strlen(content) && fclose(file) == 0, full);
}

void fake_tree_link(const struct fake_tree *t, const char *path, const char *target) {
    const char *full = fake_tree_path(t, path);
    make_folders(full);
    must(symlink(target, full) == 0, full);
}

void fake_tree_move(const struct fake_tree *t, const char *from, const char *to) {
    const char *full = fake_tree_path(t, to);
    make_folders(full);
    must(rename(fake_tree_path(t, from), full) == 0, full);
}
