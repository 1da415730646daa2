/* A file, or the files of a folder, by HTTP. Every address is tried with a short time to connect first, so that a machine that cannot reach the place goes
 * on to the next source within seconds. */
#include "base/file.h"
#include "model/internal.h"
#include "net/http.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, ANSWER_MS = 15000, NOT_THERE = 404 };

static bool enough(void *user, const char *bytes, size_t n) {
    (void)user;
    (void)bytes;
    (void)n;
    return false;
}

/* What the server says to a request for the first byte. */
static qa_status probe(const struct model_pull *p, const char *url, int *http_status, qa_error *err) {
    const struct http_header range = {"Range", "bytes=0-0"};
    const struct http_request request = {.url = url, .headers = &range, .n_headers = 1, .connect_ms = CONNECT_MS, .idle_ms = ANSWER_MS,
                                         .cancel = p->progress->cancel, .on_body = enough};
    struct http_response response = {0};
    qa_status status = http_send(&request, &response, err);
    *http_status = response.status;
    http_release(&response);
    if (status == QA_OK && *http_status >= 400)
        status = error_set(err, QA_REMOTE, "the server answers with status %d", *http_status);
    return status;
}

static void show(void *user, uint64_t done, uint64_t total) { model_show(user, done, total); }

/* *http_status tells why it failed, when the server did. */
static qa_status fetch(struct model_pull *p, const char *url, const char *to, uint64_t max, int *http_status, qa_error *err) {
    *http_status = 0;
    if (access(to, F_OK) == 0)
        return QA_OK; /* an earlier try brought it */
    char *part = arena_printf(&p->arena, "%s.part", to);
    if (!part)
        return arena_error(&p->arena, err, "downloading");
    qa_status status = probe(p, url, http_status, err);
    if (status == QA_OK)
        status = http_download(url, part, max, show, p, p->progress->cancel, err);
    if (status == QA_OK && rename(part, to) != 0)
        status = error_set_errno(err, errno, "%s", to);
    return status;
}

static qa_status fetch_folder(struct model_pull *p, const char *base, const char *folder, qa_error *err) {
    qa_status status = QA_OK;
    char *pooling = file_join(&p->arena, folder, "1_Pooling");
    if (!pooling)
        return arena_error(&p->arena, err, "downloading");
    if ((status = file_make_dirs(pooling, err)) != QA_OK)
        return status;
    for (size_t i = 0; i < model_n_folder_files; i++) {
        const struct model_folder_file *f = &model_folder_files[i];
        int http_status = 0;
        char *url = arena_printf(&p->arena, "%s%s", base, f->name), *to = file_join(&p->arena, folder, f->name);
        if (!url || !to)
            return arena_error(&p->arena, err, "downloading");
        snprintf(p->label, sizeof p->label, "Downloading %s", f->name);
        status = fetch(p, url, to, f->max ? f->max : p->entry->bytes, &http_status, err);
        if (status == QA_REMOTE && http_status == NOT_THERE && !f->needed)
            continue;
        if (status != QA_OK)
            return error_prefix(err, status, "%s: ", f->name);
    }
    return QA_OK;
}

/* An address alone, or several whose files are joined. */
static qa_status fetch_files(struct model_pull *p, const char *addresses, const char *to, qa_error *err) {
    struct model_output o = {.fd = -1};
    bool joined = strchr(addresses, ' ') != NULL;
    qa_status status = joined ? model_output_begin(&o, to, err) : QA_OK;
    for (const char *at = addresses; status == QA_OK && *at;) {
        int http_status = 0;
        size_t n = strcspn(at, " ");
        char *url = arena_copy(&p->arena, at, n);
        const char *file = url && joined ? model_work_name(p, url, NULL, err) : to;
        if (!url || !file)
            status = url ? QA_NO_MEMORY : arena_error(&p->arena, err, "downloading");
        char shown[300];
        http_address(url ? url : "", shown, sizeof shown);
        snprintf(p->label, sizeof p->label, "Downloading %.60s", file_basename(shown));
        if (status == QA_OK)
            status = fetch(p, url, file, p->entry->bytes, &http_status, err);
        if (status == QA_OK && joined)
            status = model_append(p, &o, file, err);
        at += n + strspn(at + n, " ");
    }
    if (status == QA_OK && joined)
        status = model_output_commit(&o, err);
    model_output_drop(&o);
    return status;
}

qa_status model_fetch_url(struct model_pull *p, const struct model_source *source, const char **out, qa_error *err) {
    *out = model_work_name(p, source->what, NULL, err);
    if (!*out)
        return QA_NO_MEMORY;
    return p->entry->import ? fetch_folder(p, source->what, *out, err) : fetch_files(p, source->what, *out, err);
}
