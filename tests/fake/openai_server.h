/* A server on a loopback port that says what the test wrote down, well or badly: the nth request gets the nth reply, and all after the last one get that
 * again. One thread, one connection at a time. It allocates nothing while it runs, so that fault tests may fail every allocation. */
#ifndef FAKE_OPENAI_SERVER_H
#define FAKE_OPENAI_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum fake_ending {
    FAKE_CLOSE, /* in order */
    FAKE_RESET, /* without: the other side sees the connection break */
    FAKE_HANG,  /* says nothing more until the other side goes away or the server is stopped */
    FAKE_KEEP   /* the next request may come on the same connection */
};

struct fake_reply {
    const char *head;    /* status line and headers up to the empty line; NULL: 200, text/event-stream, Connection: close; "": nothing at all */
    const char *body;    /* NULL: none */
    size_t len;          /* of the body; 0: up to its NUL */
    size_t times;        /* how often the body is sent; 0: once */
    size_t slice;        /* bytes at a time; 0: as they fit */
    unsigned pause_ms;   /* after each slice */
    enum fake_ending ending;
};

#define FAKE_JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
#define FAKE_STATUS(status) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"

struct fake_server;
struct fake_server *fake_server_start(const struct fake_reply *replies, size_t n); /* replies are not copied; aborts the test when it cannot */
void fake_server_stop(struct fake_server *s);
const char *fake_server_url(struct fake_server *s, const char *path); /* of the last four calls */
size_t fake_server_requests(struct fake_server *s);
/* The nth request (from 0) as it came, headers and body; "" when there was none. Bodies over 256 KB are cut. */
const char *fake_server_request(struct fake_server *s, size_t n);
size_t fake_server_connections(struct fake_server *s);

#endif
