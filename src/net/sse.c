#include "net/sse.h"
#include <stdio.h>
#include <string.h>

void sse_init(struct sse *s, size_t max, bool (*event)(void *user, const char *type, const char *data, size_t len), void *user) {
    *s = (struct sse){.event = event, .user = user};
    buf_init(&s->line, max);
    buf_init(&s->data, max);
}

static void dispatch(struct sse *s) {
    if (s->has_data) {
        s->data.data[--s->data.len] = '\0'; /* the line break behind the last line of data */
        s->stopped = !s->event(s->user, s->type, s->data.data, s->data.len);
    }
    buf_reset(&s->data);
    s->has_data = false;
    s->type[0] = '\0';
}

static void end_line(struct sse *s) {
    const char *line = s->line.data ? s->line.data : "";
    size_t len = s->line.len;
    if (!s->started && len >= 3 && !memcmp(line, "\xEF\xBB\xBF", 3)) {
        line += 3;
        len -= 3;
    }
    s->started = true;
    const char *colon = memchr(line, ':', len);
    size_t name = colon ? (size_t)(colon - line) : len;
    const char *value = line + name + (colon ? 1 : 0);
    size_t value_len = len - (size_t)(value - line);
    if (value_len && *value == ' ') {
        value++;
        value_len--;
    }
    if (len == 0) {
        dispatch(s);
    } else if (name == 4 && !memcmp(line, "data", 4)) {
        buf_put(&s->data, value, value_len);
        buf_putc(&s->data, '\n');
        s->has_data = true;
    } else if (name == 5 && !memcmp(line, "event", 5)) {
        snprintf(s->type, sizeof s->type, "%.*s", (int)(value_len < sizeof s->type ? value_len : sizeof s->type), value);
    }
    buf_reset(&s->line);
}

qa_status sse_feed(struct sse *s, const char *bytes, size_t n, qa_error *err) {
    for (size_t i = 0; i < n && !s->stopped;) {
        if (s->after_cr && bytes[i] == '\n') { /* the second half of CR LF, maybe in another packet */
            s->after_cr = false;
            i++;
            continue;
        }
        s->after_cr = false;
        size_t run = i;
        while (run < n && bytes[run] != '\r' && bytes[run] != '\n')
            run++;
        buf_put(&s->line, bytes + i, run - i);
        i = run;
        if (run < n && s->line.status == QA_OK) {
            s->after_cr = bytes[run] == '\r';
            i++;
            end_line(s);
        }
        qa_status status = s->line.status != QA_OK ? s->line.status : s->data.status;
        if (status == QA_NO_MEMORY)
            return error_no_memory(err, "a stream of events");
        if (status != QA_OK)
            return error_set(err, QA_REMOTE, "an event of more than %zu bytes", s->line.max);
    }
    return QA_OK;
}

void sse_free(struct sse *s) {
    buf_free(&s->line);
    buf_free(&s->data);
}
