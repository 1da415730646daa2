// main() for a fuzz target in builds without libFuzzer: feeds it the files of the folders given, and what a few cheap changes make of them.
//
//   fuzz_NAME FOLDER...
//
// Each file runs as it is, cut short at up to CUTS places, and with up to FLIPS single bytes replaced. The changes come from a fixed seed:
// a failure repeats. Input is copied to a block of exactly its size, so that ASan sees the first byte read beyond it.
// An empty or missing folder fails: a target without a corpus tests nothing.

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUTS = 32, FLIPS = 64 };
enum { FILE_LIMIT = 16 << 20, CHANGE_LIMIT = 64 << 10 };  // larger files run unchanged, to keep the time of a run bounded

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long runs;

static void run(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        fputs("replay: out of memory\n", stderr);
        exit(1);
    }
    if (size) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void run_changed(uint8_t *data, size_t size) {
    static const uint8_t bytes[] = {0, 1, '\n', ' ', '"', '\\', '`', '<', '[', '{', 0x7f, 0x80, 0xc3, 0xf4, 0xff};
    uint64_t state = 0x9e3779b97f4a7c15u ^ size;
    for (size_t i = 0; i < CUTS && i < size; i++) run(data, size < CUTS ? i : size * i / CUTS);
    for (size_t i = 0; i < FLIPS && size; i++) {
        size_t at = next(&state) % size;
        uint8_t kept = data[at];
        data[at] = bytes[next(&state) % sizeof bytes];
        run(data, size);
        data[at] = kept;
    }
}

static int run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(FILE_LIMIT);
    size_t size = 0;
    int failed = 1;
    if (file && data) {
        size = fread(data, 1, FILE_LIMIT, file);
        failed = ferror(file) || !feof(file);
    }
    if (file) fclose(file);
    if (failed) {
        fprintf(stderr, "replay: cannot read %s\n", path);
    } else {
        run(data, size);
        if (size <= CHANGE_LIMIT) run_changed(data, size);
    }
    free(data);
    return failed;
}

static int run_folder(const char *folder, unsigned long *files) {
    struct dirent **entries = NULL;
    int failed = 0;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        perror(folder);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            failed |= run_file(path);
            *files += 1;
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv) {
    unsigned long files = 0;
    int failed = 0;
    run(NULL, 0);
    for (int i = 1; i < argc; i++) failed |= run_folder(argv[i], &files);
    if (!files) {
        fputs("replay: no input files\n", stderr);
        failed = 1;
    }
    printf("%lu files, %lu inputs\n", files, runs);
    return failed;
}
