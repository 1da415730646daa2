#include "base/sha256.h"
#include "base/file.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 20, DIGEST_SIZE = 32 };

void sha256_begin(struct sha256 *h) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    h->context = context;
    h->failed = !context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1;
}

void sha256_add(struct sha256 *h, const void *bytes, size_t n) {
    h->failed = h->failed || EVP_DigestUpdate(h->context, bytes, n) != 1;
}

qa_status sha256_end(struct sha256 *h, char out[SHA256_HEX], qa_error *err) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    bool done = !h->failed && EVP_DigestFinal_ex(h->context, digest, &n) == 1 && n == DIGEST_SIZE;
    sha256_drop(h);
    out[0] = '\0';
    if (!done)
        return error_set(err, QA_NO_MEMORY, "SHA-256 could not be computed: OpenSSL has no memory or does not offer it");
    for (unsigned i = 0; i < DIGEST_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return QA_OK;
}

void sha256_drop(struct sha256 *h) {
    EVP_MD_CTX_free(h->context);
    h->context = NULL;
    h->failed = true;
}

qa_status sha256_file(const char *path, void (*show)(void *user, uint64_t done, uint64_t total), void *user, const atomic_int *cancel,
                      char out[SHA256_HEX], qa_error *err) {
    struct file_stat st;
    struct sha256 h = {0};
    uint64_t done = 0;
    char *part = NULL;
    int fd = -1;
    qa_status status = file_open_regular(path, &fd, &st, err);
    if (status != QA_OK)
        return status;
    part = malloc(READ_SIZE);
    if (!part) {
        status = error_no_memory(err, path);
        goto out;
    }
    sha256_begin(&h);
    for (;;) {
        if (cancel && atomic_load(cancel)) {
            status = error_set(err, QA_CANCELLED, "%s: stopped while its SHA-256 was being computed", path);
            goto out;
        }
        ssize_t n = read(fd, part, READ_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = error_set_errno(err, errno, "%s", path);
            goto out;
        }
        if (n == 0)
            break;
        sha256_add(&h, part, (size_t)n);
        done += (uint64_t)n;
        if (show)
            show(user, done, st.size);
    }
    status = sha256_end(&h, out, err);
out:
    sha256_drop(&h);
    free(part);
    close(fd);
    return status;
}
