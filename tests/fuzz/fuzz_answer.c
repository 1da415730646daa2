// Bytes to passages and a question. The first line is the question; each further line begins with a letter for what it is
// (p h i t r c q) or '=' for the next passage, and its text is copied or, after a '!', literal. Every answer must be quoted
// from the document's bytes.
#include "unit/answer_fixture.h"

static void require(bool so) {
    if (!so)
        abort();
}

static void check(const struct fixture *f) {
    const struct answer *x = &f->answer;
    size_t len = strlen(x->text);
    for (size_t i = 0; i < x->n_sentences; i++) {
        require(x->sentences[i].start < x->sentences[i].end && x->sentences[i].end <= len);
        require(!i || x->sentences[i].start > x->sentences[i - 1].end);
    }
    for (size_t i = 0; i < x->n_citations; i++) {
        const struct answer_citation *c = &x->citations[i];
        require(c->rank >= 1 && c->rank <= f->found.n_hits && c->end <= f->len && c->quote_len == c->end - c->start);
        require(memcmp(f->bytes + c->start, c->quote, c->quote_len) == 0);
        require(strstr(f->hits[c->rank - 1].passage.map.plain, c->quote_plain) != NULL);
    }
    require(x->refused == (f->found.evidence == QA_EVIDENCE_NONE) && x->refused == (x->reason != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char kinds[] = "phitrcq";
    static const enum textmap_unit units[] = {UNIT_PARAGRAPH, UNIT_HEADING, UNIT_ITEM, UNIT_TABLE_HEAD, UNIT_TABLE_ROW, UNIT_CODE, UNIT_QUOTE};
    struct fixture f;
    if (size > FIXTURE_DOCUMENT / 4)
        return 0;
    fixture_begin(&f);
    char *text = arena_copy(&f.a, data, size);
    for (size_t i = 0; i < size; i++) // what the store keeps is UTF-8 without NUL; other bytes stand for accented letters
        if (!text[i] || (unsigned char)text[i] >= 0x80)
            text[i] = '~';
    char *line = text, *next = strchr(line, '\n');
    if (next)
        *next++ = '\0';
    const char *question = line;
    fixture_passage(&f);
    for (line = next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        const char *kind = memchr(kinds, *line, sizeof kinds - 1);
        if (*line == '=') {
            if (f.found.n_hits + 1 == FIXTURE_PASSAGES)
                break;
            fixture_close(&f, "A title", 1.0 / (double)(f.found.n_hits + 1));
            fixture_passage(&f);
        } else if (kind && line[1] == '!') {
            textmap_mark(&f.w, units[kind - kinds]);
            textmap_literal(&f.w, line + 2, strlen(line + 2));
            f.marked = true;
        } else if (kind) {
            fixture_block(&f, units[kind - kinds], strlen(line) > 2 || !strchr("tr", *line) ? line + 1 : "| |");
        }
    }
    fixture_close(&f, "A title", 0.1);
    fixture_ask(&f, question, "what came before?");
    require(answer_extract(f.words, &f.a, &f.found, &f.answer, &f.err) == QA_OK);
    check(&f);
    fixture_end(&f);
    return 0;
}
