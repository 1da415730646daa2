/* The chunk directory (chunk_blocks) in memory: which chunks exist, whose they are, how long. 8 bytes a chunk, loaded when
 * somebody else has written since the last time. */
#include "store/store_index.h"
#include "store/store_write.h"
#include <stdlib.h>
#include <string.h>

struct store_entry store_decode_entry(const uint8_t *p) {
    return (struct store_entry){
        .document = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24,
        .head_words = (uint16_t)(p[4] | p[5] << 8),
        .body_words = (uint16_t)(p[6] | p[7] << 8),
    };
}

void store_encode_entry(struct store_entry e, uint8_t *p) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(e.document >> (8 * i));
    p[4] = (uint8_t)e.head_words, p[5] = (uint8_t)(e.head_words >> 8);
    p[6] = (uint8_t)e.body_words, p[7] = (uint8_t)(e.body_words >> 8);
}

void store_free_directory(struct store_directory *d) {
    free(d->numbers);
    free(d->entries);
    *d = (struct store_directory){0};
}

uint64_t store_chunk_at(const struct store_directory *d, size_t slot) {
    return (uint64_t)d->numbers[slot / STORE_BLOCK_CHUNKS] * STORE_BLOCK_CHUNKS + slot % STORE_BLOCK_CHUNKS;
}

bool store_find_slot(const struct store_directory *d, uint64_t chunk, size_t *near, size_t *slot) {
    uint64_t number = chunk / STORE_BLOCK_CHUNKS;
    if (*near >= d->blocks || d->numbers[*near] != number) {
        size_t lo = 0, hi = d->blocks;
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (d->numbers[mid] < number)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo == d->blocks || d->numbers[lo] != number)
            return false;
        *near = lo;
    }
    *slot = *near * STORE_BLOCK_CHUNKS + chunk % STORE_BLOCK_CHUNKS;
    return d->entries[*slot].document != 0;
}

static qa_status grow(struct store_directory *d, qa_error *err) {
    size_t cap = d->cap ? d->cap * 2 : 16;
    uint32_t *numbers = realloc(d->numbers, cap * sizeof *numbers);
    if (numbers)
        d->numbers = numbers;
    struct store_entry *entries = realloc(d->entries, cap * STORE_BLOCK_CHUNKS * sizeof *entries);
    if (entries)
        d->entries = entries;
    if (!numbers || !entries)
        return error_no_memory(err, "loading the list of chunks");
    d->cap = cap;
    return QA_OK;
}

static qa_status load_block(struct store_index *s, sqlite3_stmt *st, qa_error *err) {
    struct store_directory *d = &s->directory;
    uint64_t number;
    const uint8_t *bytes;
    size_t n;
    qa_status status = store_get_uint(&s->file, st, 0, &number, err);
    if (status == QA_OK)
        status = store_get_bytes(&s->file, st, 1, &bytes, &n, err);
    if (status != QA_OK)
        return status;
    if (n != STORE_BLOCK_CHUNKS * STORE_ENTRY || number > UINT32_MAX || d->blocks == STORE_MAX_BLOCKS)
        return store_damaged(&s->file, err, "block %llu of the list of chunks has %zu bytes", (unsigned long long)number, n);
    if (d->blocks == d->cap && (status = grow(d, err)) != QA_OK)
        return status;
    struct store_entry *to = d->entries + d->blocks * STORE_BLOCK_CHUNKS;
    for (size_t i = 0; i < STORE_BLOCK_CHUNKS; i++) {
        to[i] = store_decode_entry(bytes + i * STORE_ENTRY);
        d->totals.chunks += to[i].document != 0;
        d->totals.head_words += to[i].document ? to[i].head_words : 0;
        d->totals.body_words += to[i].document ? to[i].body_words : 0;
    }
    d->numbers[d->blocks++] = (uint32_t)number;
    return QA_OK;
}

qa_status store_load_directory(struct store_index *s, qa_error *err) {
    struct store_directory *d = &s->directory;
    sqlite3_stmt *st;
    bool row;
    /* What this handle is writing is seen by its own searches; data_version belongs to the snapshot that the caller holds. */
    qa_status status = s->writing ? store_flush_tail(s, err) : QA_OK;
    if (status == QA_OK)
        status = store_sql(&s->file, SQL_DATA_VERSION, "PRAGMA data_version", &st, err);
    if (status == QA_OK)
        status = store_next(&s->file, st, &row, err);
    if (status != QA_OK)
        return status;
    int64_t version = row ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    if (d->loaded && d->version == version)
        return QA_OK;
    d->loaded = false;
    d->blocks = 0;
    d->totals = (struct store_rank_totals){0};
    status = store_sql(&s->file, SQL_BLOCKS, "SELECT block, entries FROM chunk_blocks ORDER BY block", &st, err);
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row)
        status = load_block(s, st, err);
    if (status == QA_OK) {
        d->loaded = true;
        d->version = version;
    } else {
        sqlite3_reset(st);
    }
    return status;
}
