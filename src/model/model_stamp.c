/* Stamps. To read a model of some GB for its checksum takes seconds, and to try it in a child process as long again; so what came of it is kept in a small file,
 * and holds as long as the model file is as it was:
 *
 *     quaere model stamp 1
 *     46223360 bytes, inode 1234, modified 1763871273123456789, changed 1763871273123456789
 *     sha256 c3c19d80...
 *     tried 0.5.0-a22a31a                          or: untried
 *
 * (times in nanoseconds since 1970). Beside the model as NAME.gguf.stamp where it lies in the models folder, in the user's cache folder else and where the models
 * folder cannot be written. A stamp is compared, not understood: with any other byte than expected it is as none, and the file is read again. */
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "model/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MEMORY = 1 << 20, MAX_STAMP = 1000, MAX_HEAD = 200 };

/* ---- Where ---- */

struct places {
    const char *at[2]; /* where a stamp may be, the better one first; NULL: none */
    const char *cache; /* the folder that at[1] lies in */
};

static void find_places(struct arena *a, const char *path, struct places *out) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *models = NULL;
    bool xdg = base && base[0] == '/';
    char id[24];
    *out = (struct places){0};
    char *whole = file_absolute(a, path), *folder = whole ? file_dirname(a, whole) : NULL;
    if (folder && model_folder(a, &models, NULL) == QA_OK && strcmp(folder, models) == 0)
        out->at[0] = arena_printf(a, "%s.stamp", whole);
    if (!whole || (!xdg && !(home && home[0] == '/')))
        return;
    hash_id("", hash_bytes(whole, strlen(whole)), id);
    out->cache = arena_printf(a, xdg ? "%s/quaere/stamps" : "%s/.cache/quaere/stamps", xdg ? base : home);
    out->at[1] = out->cache ? arena_printf(a, "%s/%s.stamp", out->cache, id) : NULL;
}

/* ---- Reading and writing ---- */

static void write_head(const struct file_stat *st, char out[MAX_HEAD]) {
    snprintf(out, MAX_HEAD, "quaere model stamp 1\n%llu bytes, inode %llu, modified %lld, changed %lld\nsha256 ", (unsigned long long)st->size,
             (unsigned long long)st->inode, (long long)st->mtime_ns, (long long)st->ctime_ns);
}

/* What follows the head: the sum, and with which llama.cpp the file was tried. */
static bool read_tail(const char *text, struct model_identity *out) {
    static const char untried[] = "\nuntried\n", tried[] = "\ntried ";
    size_t n = strspn(text, "0123456789abcdef");
    if (n != SHA256_HEX - 1)
        return false;
    const char *rest = text + n;
    bool was = strncmp(rest, tried, strlen(tried)) == 0;
    size_t len = was ? strcspn(rest + strlen(tried), "\n") : 0;
    if (was ? !len || len >= sizeof out->tried || strcmp(rest + strlen(tried) + len, "\n") != 0 : strcmp(rest, untried) != 0)
        return false;
    memcpy(out->sha256, text, n);
    out->sha256[n] = '\0';
    memcpy(out->tried, was ? rest + strlen(tried) : "", len);
    out->tried[len] = '\0';
    return true;
}

static bool read_stamp(const char *path, const struct file_stat *st, struct model_identity *out) {
    struct arena a;
    struct places places;
    char head[MAX_HEAD];
    bool found = false;
    write_head(st, head);
    arena_init(&a, MAX_MEMORY);
    find_places(&a, path, &places);
    for (size_t i = 0; !found && i < 2; i++) {
        char *text = NULL;
        size_t len = 0;
        if (places.at[i] && file_read(&a, places.at[i], MAX_STAMP, &text, &len, NULL) == QA_OK && strlen(text) == len)
            found = strncmp(text, head, strlen(head)) == 0 && read_tail(text + strlen(head), out);
    }
    arena_free(&a);
    return found;
}

/* That it could not be kept costs only time. */
static void write_stamp(const char *path, const struct model_identity *id) {
    struct arena a;
    struct places places;
    char text[MAX_STAMP], head[MAX_HEAD];
    bool kept = false;
    qa_error why = {0};
    write_head(&id->stat, head);
    int n = snprintf(text, sizeof text, "%s%s\n%s%s\n", head, id->sha256, *id->tried ? "tried " : "untried", id->tried);
    arena_init(&a, MAX_MEMORY);
    find_places(&a, path, &places);
    for (size_t i = 0; !kept && i < 2; i++)
        kept = places.at[i] && (i == 0 || file_make_dirs(places.cache, &why) == QA_OK) && file_write_atomic(places.at[i], text, (size_t)n, &why) == QA_OK;
    if (!kept)
        log_line(LOG_INFO, "what was found out about %s is not kept, and is found out again the next time: %s", path, why.message);
    arena_free(&a);
}

/* ---- */

static bool same(const struct file_stat *a, const struct file_stat *b) {
    return a->size == b->size && a->inode == b->inode && a->device == b->device && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static void show(void *user, uint64_t done, uint64_t total) {
    const struct model_progress *progress = user;
    if (progress && progress->show)
        progress->show(progress->user, "Checking", done, total);
}

qa_status model_identify_anew(const char *path, const struct model_progress *progress, struct model_identity *out, qa_error *err) {
    struct model_identity known;
    struct file_stat after;
    *out = (struct model_identity){0};
    qa_status status = file_stat(path, &out->stat, err);
    if (status == QA_OK && out->stat.is_dir)
        status = error_set(err, QA_IO, "%s: a folder, and the GGUF file of a model is wanted", path);
    if (status == QA_OK)
        status = model_check(path, err); /* first, since it takes no time */
    if (status == QA_OK)
        status = sha256_file(path, show, (void *)(uintptr_t)progress, progress ? progress->cancel : NULL, out->sha256, err);
    if (status == QA_OK)
        status = file_stat(path, &after, err);
    if (status == QA_OK && !same(&after, &out->stat))
        status = error_set(err, QA_IO, "%s: changed while it was being read; is it still being written?", path);
    if (status != QA_OK)
        return status;
    if (read_stamp(path, &out->stat, &known) && strcmp(known.sha256, out->sha256) == 0)
        memcpy(out->tried, known.tried, sizeof out->tried);
    else
        write_stamp(path, out);
    return QA_OK;
}

qa_status model_identify(const char *path, const atomic_int *cancel, struct model_identity *out, qa_error *err) {
    const struct model_progress progress = {.cancel = cancel};
    *out = (struct model_identity){0};
    qa_status status = file_stat(path, &out->stat, err);
    if (status != QA_OK)
        return status;
    return out->stat.is_regular && read_stamp(path, &out->stat, out) ? QA_OK : model_identify_anew(path, &progress, out, err);
}

void model_note_sha256(const char *path, const char *sha256) {
    struct model_identity id = {0};
    if (file_stat(path, &id.stat, NULL) != QA_OK)
        return;
    snprintf(id.sha256, sizeof id.sha256, "%s", sha256);
    write_stamp(path, &id);
}

void model_note_trial(const char *path, struct model_identity *id, const char *version) {
    if (!*version || strlen(version) >= sizeof id->tried || strchr(version, '\n'))
        return;
    strcpy(id->tried, version);
    write_stamp(path, id);
}
