/* libarchive, narrowed: ZIP (wheels) and tar with or without gzip (npm), only the members asked for, each under the name that we choose. A path in an
 * archive is compared and never used, so there is nothing to traverse. */
#include "model/internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

enum { BLOCK = 1 << 16, MAX_ENTRIES = 100000, PART = 1 << 16 };
#define MAX_UNPACKED ((int64_t)1 << 40) /* bytes that a tarball may unfold to before the members wanted have come */

static qa_status archive_failed(struct archive *a, const char *file, const char *member, qa_error *err) {
    const char *why = archive_error_string(a);
    int number = archive_errno(a);
    return error_set(err, number == ENOMEM ? QA_NO_MEMORY : QA_CORRUPT, "%s%s%s: %s", file, member ? ": " : "", member ? member : "",
                     why ? why : "not an archive, or damaged");
}

static qa_status copy_member(struct archive *a, const char *file, struct model_member *m, const atomic_int *cancel, qa_error *err) {
    struct model_output o;
    char part[PART];
    qa_status status = model_output_begin(&o, m->to, err);
    while (status == QA_OK) {
        ssize_t n = archive_read_data(a, part, sizeof part);
        if (n == 0)
            break;
        if (n < 0)
            status = n == ARCHIVE_RETRY ? QA_OK : archive_failed(a, file, m->path, err);
        else if ((uint64_t)n > m->max - o.size)
            status = error_set(err, QA_TOO_LARGE, "%s: %s has more than the %llu bytes that it may have", file, m->path, (unsigned long long)m->max);
        else if (cancel && atomic_load(cancel))
            status = error_set(err, QA_CANCELLED, "stopped while unpacking");
        else
            status = model_output_write(&o, part, (size_t)n, err);
    }
    if (status == QA_OK)
        status = model_output_commit(&o, err);
    model_output_drop(&o);
    return status;
}

static qa_status look_through(struct archive *a, const char *file, struct model_member *members, size_t n, const atomic_int *cancel, qa_error *err) {
    struct archive_entry *entry = NULL;
    for (size_t seen = 0;; seen++) {
        size_t left = 0;
        for (size_t i = 0; i < n; i++)
            left += !members[i].found;
        int result = left ? archive_read_next_header(a, &entry) : ARCHIVE_EOF;
        if (result == ARCHIVE_EOF)
            return QA_OK;
        if (result == ARCHIVE_RETRY)
            continue;
        if (result < ARCHIVE_WARN)
            return archive_failed(a, file, NULL, err);
        if (seen == MAX_ENTRIES || archive_filter_bytes(a, 0) > MAX_UNPACKED)
            return error_set(err, QA_TOO_LARGE, "%s: more than %d entries, or far too much in them", file, MAX_ENTRIES);
        if (cancel && atomic_load(cancel))
            return error_set(err, QA_CANCELLED, "stopped while unpacking");
        const char *path = archive_entry_pathname(entry);
        for (size_t i = 0; path && i < n; i++) {
            if (members[i].found || strcmp(members[i].path, path) != 0)
                continue;
            if (archive_entry_filetype(entry) != AE_IFREG)
                return error_set(err, QA_CORRUPT, "%s: %s is no plain file", file, members[i].path);
            qa_status status = copy_member(a, file, &members[i], cancel, err);
            if (status != QA_OK)
                return status;
            members[i].found = true;
            break;
        }
    }
}

qa_status model_unpack(const char *file, struct model_member *members, size_t n, const atomic_int *cancel, qa_error *err) {
    struct archive *a = archive_read_new();
    if (!a)
        return error_no_memory(err, "unpacking");
    qa_status status = QA_OK;
    if (archive_read_support_filter_gzip(a) < ARCHIVE_WARN || archive_read_support_format_zip(a) < ARCHIVE_WARN ||
        archive_read_support_format_tar(a) < ARCHIVE_WARN || archive_read_open_filename(a, file, BLOCK) != ARCHIVE_OK)
        status = archive_failed(a, file, NULL, err);
    if (status == QA_OK)
        status = look_through(a, file, members, n, cancel, err);
    archive_read_free(a);
    for (size_t i = 0; status == QA_OK && i < n; i++)
        if (members[i].needed && !members[i].found)
            status = error_set(err, QA_CORRUPT, "%s: there is no %s in it", file, members[i].path);
    return status;
}
