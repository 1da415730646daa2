#include "base/textmap.h"
#include "base/utf8.h"
#include <string.h>

enum { OP_COPY = 0, OP_LITERAL = 1, OP_MARK = 2, MAX_LITERAL = 4096 };

/* ---- Writing ---- */

void textmap_begin(struct textmap_writer *w, uint64_t chunk_start, size_t max_plain) {
    *w = (struct textmap_writer){.cursor = chunk_start};
    buf_init(&w->plain, max_plain);
    buf_init(&w->ops, max_plain > SIZE_MAX / 32 ? SIZE_MAX / 2 : max_plain * 16 + 4096);
    buf_init(&w->literal, MAX_LITERAL);
}

static void flush(struct textmap_writer *w) {
    if (w->copy_len) {
        buf_put_varint(&w->ops, w->copy_len << 2 | OP_COPY);
        buf_put_varint(&w->ops, zigzag((int64_t)(w->copy_at - w->cursor)));
        w->cursor = w->copy_at + w->copy_len;
        w->copy_len = 0;
    }
    if (w->literal.len) {
        buf_put_varint(&w->ops, (uint64_t)w->literal.len << 2 | OP_LITERAL);
        buf_put(&w->ops, w->literal.data, w->literal.len);
        buf_reset(&w->literal);
    }
}

void textmap_copy(struct textmap_writer *w, const char *document, uint64_t at, uint64_t n) {
    if (!n)
        return;
    buf_put(&w->plain, document + at, n);
    if (w->copy_len && !w->literal.len && w->copy_at + w->copy_len == at) {
        w->copy_len += n;
        return;
    }
    flush(w);
    w->copy_at = at;
    w->copy_len = n;
}

void textmap_literal(struct textmap_writer *w, const char *bytes, size_t n) {
    buf_put(&w->plain, bytes, n);
    while (n) {
        if (w->copy_len || w->literal.len == MAX_LITERAL)
            flush(w);
        size_t part = n < MAX_LITERAL - w->literal.len ? n : MAX_LITERAL - w->literal.len;
        buf_put(&w->literal, bytes, part);
        if (w->literal.status != QA_OK)
            w->ops.status = w->literal.status;
        if (w->ops.status != QA_OK)
            return;
        bytes += part;
        n -= part;
    }
}

void textmap_mark(struct textmap_writer *w, enum textmap_unit kind) {
    flush(w);
    buf_put_varint(&w->ops, (uint64_t)kind << 2 | OP_MARK);
}

qa_status textmap_finish(struct textmap_writer *w, qa_error *err) {
    flush(w);
    qa_status status = buf_error(&w->ops, err, "a chunk's text map");
    return status != QA_OK ? status : buf_error(&w->plain, err, "a chunk's text");
}

void textmap_free(struct textmap_writer *w) {
    buf_free(&w->ops);
    buf_free(&w->plain);
    buf_free(&w->literal);
}

/* ---- Reading. One walker checks everything once; both readers are built on it. ---- */

struct op {
    int kind;
    uint64_t n;
    uint64_t at;          /* copy */
    const uint8_t *bytes; /* literal */
};
struct walker {
    const uint8_t *at, *end;
    uint64_t cursor;
};

static struct walker begin(const uint8_t *map, size_t n, uint64_t chunk_start) {
    return (struct walker){map, n ? map + n : map, chunk_start}; /* an empty map may be NULL */
}

/* 1: an operation, 0: the end, -1: malformed */
static int walk(struct walker *w, struct op *op) {
    if (w->at == w->end)
        return 0;
    uint64_t v, delta;
    if (!varint_get(&w->at, w->end, &v))
        return -1;
    *op = (struct op){.kind = (int)(v & 3), .n = v >> 2};
    switch (op->kind) {
    case OP_COPY:
        if (!op->n || op->n > UINT32_MAX || !varint_get(&w->at, w->end, &delta))
            return -1;
        if (__builtin_add_overflow((int64_t)w->cursor, unzigzag(delta), (int64_t *)&op->at) || (int64_t)op->at < 0 ||
            __builtin_add_overflow((int64_t)op->at, (int64_t)op->n, (int64_t *)&w->cursor))
            return -1;
        return 1;
    case OP_LITERAL:
        if (!op->n || op->n > MAX_LITERAL || op->n > (uint64_t)(w->end - w->at))
            return -1;
        op->bytes = w->at;
        w->at += op->n;
        return 1;
    case OP_MARK:
        return op->n < UNIT_KINDS ? 1 : -1;
    default:
        return -1;
    }
}

static qa_status malformed(qa_error *err) { return error_set(err, QA_CORRUPT, "a stored text map is malformed"); }

qa_status textmap_extent(const uint8_t *map, size_t n, uint64_t chunk_start, uint64_t document_len, uint64_t *lo,
                         uint64_t *hi, qa_error *err) {
    struct walker w = begin(map, n, chunk_start);
    struct op op;
    int more;
    *lo = UINT64_MAX;
    *hi = 0;
    while ((more = walk(&w, &op)) > 0) {
        if (op.kind != OP_COPY)
            continue;
        if (op.at + op.n > document_len)
            return error_set(err, QA_CORRUPT, "a stored text map reaches to byte %llu of a document of %llu",
                             (unsigned long long)(op.at + op.n), (unsigned long long)document_len);
        *lo = op.at < *lo ? op.at : *lo;
        *hi = op.at + op.n > *hi ? op.at + op.n : *hi;
    }
    if (*lo > *hi)
        *lo = 0;
    return more < 0 ? malformed(err) : QA_OK;
}

qa_status textmap_decode(struct arena *a, const uint8_t *map, size_t n, uint64_t chunk_start, const char *bytes,
                         uint64_t bytes_at, size_t bytes_len, struct textmap *out, qa_error *err) {
    *out = (struct textmap){.plain = ""};
    struct walker w = begin(map, n, chunk_start);
    struct op op;
    int more;
    uint64_t plain_len = 0;
    size_t n_segments = 0, n_marks = 0;
    while ((more = walk(&w, &op)) > 0) {
        if (op.kind == OP_MARK) {
            n_marks++;
            continue;
        }
        n_segments++;
        plain_len += op.n;
        if (op.kind == OP_COPY && (op.at < bytes_at || op.at + op.n > bytes_at + bytes_len))
            return malformed(err);
    }
    if (more < 0 || plain_len > UINT32_MAX)
        return malformed(err);

    char *plain = arena_alloc(a, plain_len + 1);
    out->segments = arena_array(a, n_segments, sizeof *out->segments);
    out->marks = arena_array(a, n_marks, sizeof *out->marks);
    if (!plain || !out->segments || !out->marks)
        return arena_error(a, err, "reading a passage");
    w = begin(map, n, chunk_start);
    uint32_t at = 0;
    while (walk(&w, &op) > 0) {
        if (op.kind == OP_MARK) {
            out->marks[out->n_marks++] = (struct textmap_mark){at, (enum textmap_unit)op.n};
            continue;
        }
        const char *from = op.kind == OP_COPY ? bytes + (op.at - bytes_at) : (const char *)op.bytes;
        memcpy(plain + at, from, op.n);
        out->segments[out->n_segments++] =
            (struct textmap_segment){.plain = at, .len = (uint32_t)op.n, .raw = op.at, .literal = op.kind == OP_LITERAL};
        at += (uint32_t)op.n;
    }
    out->plain = plain;
    out->plain_len = plain_len;
    if (utf8_valid_len(plain, plain_len) != plain_len || memchr(plain, '\0', plain_len))
        return error_set(err, QA_CORRUPT, "a stored text map yields text that is not UTF-8");
    return QA_OK;
}

/* A table's header repeated before a later row: the bytes from one to the other hold rows that are not in the plain text. */
static bool leaves_header(const struct textmap *m, size_t from, size_t to) {
    for (size_t i = 0; i + 1 < m->n_marks; i++)
        if (m->marks[i].kind == UNIT_TABLE_HEAD && from < m->marks[i + 1].plain && to > m->marks[i + 1].plain)
            return true;
    return false;
}

bool textmap_raw(const struct textmap *m, size_t from, size_t to, uint64_t *raw_from, uint64_t *raw_to) {
    if (leaves_header(m, from, to))
        return false;
    /* the first segment that ends after `from` */
    size_t lo = 0, hi = m->n_segments;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->segments[mid].plain + m->segments[mid].len <= from)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool found = false;
    for (; lo < m->n_segments && m->segments[lo].plain < to; lo++) {
        const struct textmap_segment *s = &m->segments[lo];
        if (s->literal)
            continue;
        uint64_t begin = s->raw + (from > s->plain ? from - s->plain : 0);
        uint64_t end = s->raw + (to < s->plain + s->len ? to - s->plain : s->len);
        if (found && begin < *raw_to)
            return false; /* backwards: no one span of the document says this */
        if (!found)
            *raw_from = begin;
        *raw_to = end;
        found = true;
    }
    return found;
}
