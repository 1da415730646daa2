#include "fake/openai_server.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_REQUESTS = 24, MAX_REQUEST = 256 << 10 };

struct fake_server {
    const struct fake_reply *replies;
    size_t n;
    int listener, stop[2];
    unsigned port;
    pthread_t thread;
    atomic_size_t requests, connections;
    char urls[4][300];
    unsigned next_url;
    char *log[MAX_REQUESTS]; /* MAX_REQUEST + 1 each; written before `requests` counts them */
    char sink[4096];
};

/* False when the server is being stopped; else the socket is ready, or the time is over. */
static bool wait_for(struct fake_server *s, int fd, short events, int ms) {
    struct pollfd both[2] = {{.fd = s->stop[0], .events = POLLIN}, {.fd = fd, .events = events}};
    return poll(both, fd < 0 ? 1 : 2, ms) >= 0 && !both[0].revents;
}

static bool send_all(struct fake_server *s, int fd, const char *bytes, size_t n, size_t slice, unsigned pause_ms) {
    while (n) {
        size_t part = slice && slice < n ? slice : n;
        if (!wait_for(s, fd, POLLOUT, -1))
            return false;
        ssize_t sent = send(fd, bytes, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
        if (pause_ms && !wait_for(s, -1, 0, (int)pause_ms))
            return false;
    }
    return true;
}

/* Headers, and as much body as they announce. False: the other side is gone. */
static bool read_request(struct fake_server *s, int fd, char *to) {
    size_t have = 0, want = 0; /* want: the whole request, once it is known */
    to[0] = '\0';
    while (!want || have < want) {
        bool full = have >= MAX_REQUEST;
        if (!wait_for(s, fd, POLLIN, -1))
            return false;
        ssize_t n = full ? recv(fd, s->sink, sizeof s->sink, 0) : recv(fd, to + have, MAX_REQUEST - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
        if (!full)
            to[have] = '\0';
        char *end = want ? NULL : strstr(to, "\r\n\r\n"), *length;
        if (end) {
            want = (size_t)(end + 4 - to);
            length = strcasestr(to, "\r\ncontent-length:");
            if (length && length < end)
                want += strtoul(length + 17, NULL, 10);
        }
    }
    return true;
}

/* Returns whether the connection goes on. */
static bool answer(struct fake_server *s, int fd, const struct fake_reply *r) {
    static const char stream[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    const char *head = r->head ? r->head : stream;
    size_t len = r->len ? r->len : r->body ? strlen(r->body) : 0;
    bool ok = send_all(s, fd, head, strlen(head), 0, 0);
    for (size_t i = 0; ok && i < (r->times ? r->times : 1); i++)
        ok = send_all(s, fd, r->body, len, r->slice, r->pause_ms);
    if (!ok)
        return false;
    if (r->ending == FAKE_HANG)
        while (wait_for(s, fd, POLLIN, -1) && recv(fd, s->sink, sizeof s->sink, 0) > 0)
            ;
    if (r->ending == FAKE_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    return r->ending == FAKE_KEEP;
}

static void *serve(void *arg) {
    struct fake_server *s = arg;
    while (wait_for(s, s->listener, POLLIN, -1)) {
        int fd = accept(s->listener, NULL, NULL), one = 1;
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        s->connections++;
        for (bool more = true; more;) {
            size_t i = atomic_load(&s->requests);
            if (i >= MAX_REQUESTS || !read_request(s, fd, s->log[i]))
                break;
            atomic_store(&s->requests, i + 1);
            more = answer(s, fd, &s->replies[i < s->n ? i : s->n - 1]);
        }
        close(fd);
    }
    return NULL;
}

static void need(bool ok, const char *what) {
    if (!ok) {
        perror(what);
        abort();
    }
}

struct fake_server *fake_server_start(const struct fake_reply *replies, size_t n) {
    struct fake_server *s = calloc(1, sizeof *s);
    need(s, "fake server");
    char *log = malloc((size_t)MAX_REQUESTS * (MAX_REQUEST + 1));
    need(log, "fake server");
    for (size_t i = 0; i < MAX_REQUESTS; i++) {
        s->log[i] = log + i * (MAX_REQUEST + 1);
        s->log[i][0] = '\0';
    }
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    s->replies = replies;
    s->n = n;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&here, size) == 0 && listen(s->listener, 16) == 0 &&
             getsockname(s->listener, (struct sockaddr *)&here, &size) == 0 && pipe(s->stop) == 0,
         "fake server");
    s->port = ntohs(here.sin_port);
    need(pthread_create(&s->thread, NULL, serve, s) == 0, "fake server");
    return s;
}

void fake_server_stop(struct fake_server *s) {
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->listener);
    free(s->log[0]);
    free(s);
}

const char *fake_server_url(struct fake_server *s, const char *path) {
    char *url = s->urls[s->next_url++ % 4];
    snprintf(url, sizeof s->urls[0], "http://127.0.0.1:%u%s", s->port, path);
    return url;
}

size_t fake_server_requests(struct fake_server *s) { return atomic_load(&s->requests); }
const char *fake_server_request(struct fake_server *s, size_t n) { return n < atomic_load(&s->requests) ? s->log[n] : ""; }
size_t fake_server_connections(struct fake_server *s) { return atomic_load(&s->connections); }
