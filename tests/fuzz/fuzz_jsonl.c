/* JSON lines from strangers: lines, members, paths. Every item is read and released; what comes out as a path must be one. */
#include "ingest/ingest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path) {
    if (!path[0] || path[0] == '/' || strchr(path, '\\'))
        abort();
    for (const char *part = path;; part++) {
        size_t n = strcspn(part, "/");
        if (!n || (n == 1 && part[0] == '.') || (n == 2 && !strncmp(part, "..", 2)))
            abort();
        part += n;
        if (!*part)
            return;
    }
}

/* A pipe would block on large inputs, and the port reads paths or standard input: a file without a name, opened by its number. */
static int open_input(const uint8_t *data, size_t size, char path[64]) {
    FILE *file = tmpfile();
    if (!file || (size && fwrite(data, 1, size, file) != size) || fflush(file) != 0)
        abort();
    int fd = dup(fileno(file));
    fclose(file);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    struct ingest_jsonl *j = NULL;
    struct document_item item;
    struct arena a;
    qa_error err;
    bool more = true;
    /* Files that lines name stay out of it: what is there differs from machine to machine. */
    if (memmem(data, size, "file", 4))
        return 0;
    int fd = open_input(data, size, path);
    if (ingest_open_jsonl(path, NULL, &j, &err) != QA_OK)
        abort();
    struct documents_port port = ingest_jsonl_port(j);
    arena_init(&a, 16 << 20);
    while (port.ops->next(port.self, &a, &item, &more, &err) == QA_OK && more) {
        char *bytes = NULL;
        size_t len = 0;
        if (item.path)
            check_path(item.path);
        else if (!item.title)
            abort();
        if (!item.deleted && port.ops->read(port.self, &item, &a, 1 << 20, &bytes, &len, &err) == QA_OK && (!item.path || bytes[len]))
            abort();
        port.ops->release(port.self, &item);
        arena_reset(&a);
    }
    arena_free(&a);
    ingest_close_jsonl(j);
    close(fd);
    return 0;
}
