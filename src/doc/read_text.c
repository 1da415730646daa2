/* Plain text: paragraphs between blank lines, their lines as they stand. Also what becomes of Markdown that would cost
 * too much. */
#include "doc/build.h"

void doc_read_paragraphs(struct doc_builder *b) {
    for (size_t at = b->from; at < b->len && !b->failed;) {
        size_t end = doc_line_end(b->bytes, b->len, at), next = doc_line_after(b->bytes, b->len, end);
        bool blank = true;
        for (size_t i = at; i < end && blank; i++)
            blank = b->bytes[i] == ' ' || b->bytes[i] == '\t';
        if (blank) {
            doc_end_block(b);
        } else {
            if (!b->open)
                doc_begin_block(b, UNIT_PARAGRAPH, 0, DOC_VERBATIM);
            doc_copy(b, at, end - at);
            doc_break(b);
        }
        at = next;
    }
    doc_end_block(b);
}
