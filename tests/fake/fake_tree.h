/* A temporary folder for a test, filled by path and removed at the end. A test that cannot make its files fails. */
#ifndef FAKE_TREE_H
#define FAKE_TREE_H

struct fake_tree {
    char root[256]; /* absolute, links resolved */
};
void fake_tree_make(struct fake_tree *t);
void fake_tree_remove(struct fake_tree *t);
/* Paths are relative to the root; folders above are made. content NULL: a folder. */
void fake_tree_put(const struct fake_tree *t, const char *path, const char *content);
void fake_tree_link(const struct fake_tree *t, const char *path, const char *target);
void fake_tree_delete(const struct fake_tree *t, const char *path); /* also a whole folder */
void fake_tree_move(const struct fake_tree *t, const char *from, const char *to);
const char *fake_tree_path(const struct fake_tree *t, const char *path); /* absolute; of the last four calls */

#endif
