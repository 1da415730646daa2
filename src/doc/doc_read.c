/* From a document's bytes to blocks. */
#include "base/utf8.h"
#include "doc/build.h"
#include <string.h>

enum { MAX_NUL = 16 };
#define MAX_DOCUMENT ((size_t)1 << 30) /* md4c counts in 32 bits */

enum format { FORMAT_NONE, FORMAT_MARKDOWN, FORMAT_MDX, FORMAT_TEXT };

static enum format format_of(const char *path) {
    static const struct {
        const char *extension;
        enum format format;
    } known[] = {{".md", FORMAT_MARKDOWN},  {".markdown", FORMAT_MARKDOWN}, {".mdown", FORMAT_MARKDOWN},
                 {".mkd", FORMAT_MARKDOWN}, {".mdx", FORMAT_MDX},           {".txt", FORMAT_TEXT}};
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash + 1 : path, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(dot, known[i].extension))
            return known[i].format;
    return FORMAT_NONE;
}

bool doc_can_read(const char *path) { return format_of(path) != FORMAT_NONE; }

/* Is it text at all? A few bad bytes are forgiven: they come out as U+FFFD. */
static qa_status check(const char *bytes, size_t len, bool *valid, qa_error *err) {
    if (len > MAX_DOCUMENT)
        return error_set(err, QA_TOO_LARGE, "the document has %zu bytes; %zu are the most that is read as one", len,
                         MAX_DOCUMENT);
    if (len >= 2 && (!memcmp(bytes, "\xFF\xFE", 2) || !memcmp(bytes, "\xFE\xFF", 2)))
        return error_set(err, QA_BAD_INPUT, "the document is UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)");
    size_t nul = 0, bad = 0, first = 0;
    for (const char *p = bytes; (p = memchr(p, '\0', len - (size_t)(p - bytes))); p++)
        nul++;
    if (nul > MAX_NUL && nul > len / 1024)
        return error_set(err, QA_BAD_INPUT, "no text: %zu of its %zu bytes are NUL", nul, len);
    for (size_t at = 0; at < len;) {
        at += utf8_valid_len(bytes + at, len - at);
        if (at == len)
            break;
        uint32_t cp;
        size_t n = utf8_get(bytes + at, len - at, &cp);
        first = bad ? first : at;
        bad += n;
        at += n;
    }
    *valid = !bad;
    if (bad > 8 && bad > len / 4)
        return error_set(err, QA_BAD_INPUT,
                         "no UTF-8 text: %zu of its %zu bytes are invalid, the first at byte %zu; convert it if it has "
                         "another encoding",
                         bad, len, first);
    return QA_OK;
}

/* A title stands before every chunk: a long one would grow with the square of the document. */
size_t doc_title_length(const char *title) {
    size_t n = strlen(title);
    return n <= DOC_TITLE_MAX ? n : utf8_floor(title, DOC_TITLE_MAX);
}

static qa_status find_title(struct arena *a, struct doc_tree *tree, qa_error *err) {
    const struct doc_block *best = NULL;
    for (size_t i = 0; i < tree->n_blocks; i++) {
        const struct doc_block *b = &tree->blocks[i];
        if (b->kind == UNIT_HEADING && (!best || b->level < best->level))
            best = b;
    }
    if (tree->title || !best)
        return QA_OK;
    char *title = doc_text(a, tree->bytes, best->runs, best->n_runs, best->plain_len);
    if (title)
        title[doc_title_length(title)] = '\0';
    tree->title = title;
    return title ? QA_OK : arena_error(a, err, "reading the document");
}

static qa_status read_text(struct arena *a, struct doc_tree *out, bool valid, qa_error *err) {
    struct doc_builder b;
    out->metadata = json_object();
    if (!out->metadata)
        return error_no_memory(err, "reading the document");
    size_t from = out->len >= 3 && !memcmp(out->bytes, "\xEF\xBB\xBF", 3) ? 3 : 0;
    doc_builder_init(&b, a, out->bytes, out->len, from, valid);
    doc_read_paragraphs(&b);
    return doc_finish(&b, out, err);
}

static qa_status read_markdown(struct arena *a, struct doc_tree *out, bool mdx, bool valid, qa_error *err) {
    struct doc_builder b;
    struct doc_dialect dialect;
    size_t body;
    qa_status status = doc_read_front_matter(a, out->bytes, out->len, &body, out, err);
    if (status != QA_OK)
        return status;
    if (!body && out->len >= 3 && !memcmp(out->bytes, "\xEF\xBB\xBF", 3))
        body = 3;
    status = doc_read_dialect(a, out->bytes, out->len, body, mdx, &dialect, err);
    if (status != QA_OK)
        return status;
    doc_builder_init(&b, a, out->bytes, out->len, body, valid);
    status = doc_read_markdown(&b, &dialect, err);
    if (status == QA_OK)
        status = doc_finish(&b, out, err);
    return status == QA_OK ? find_title(a, out, err) : status;
}

qa_status doc_read(struct arena *a, const char *path, const char *bytes, size_t len, struct doc_tree *out, qa_error *err) {
    *out = (struct doc_tree){.bytes = len ? bytes : "", .len = len};
    enum format format = format_of(path);
    bool valid = false;
    qa_status status = check(out->bytes, len, &valid, err);
    if (format == FORMAT_NONE)
        status = error_set(err, QA_UNSUPPORTED, "%s: no reader for files of this name; .md, .mdx and .txt are read", path);
    if (status == QA_OK)
        status = format == FORMAT_TEXT ? read_text(a, out, valid, err) : read_markdown(a, out, format == FORMAT_MDX, valid, err);
    if (status != QA_OK)
        doc_tree_release(out);
    return status;
}

void doc_tree_release(struct doc_tree *tree) {
    json_decref(tree->metadata);
    tree->metadata = NULL;
}
