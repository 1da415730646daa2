#include "base/clock.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool fixed, seeded;
static int64_t fixed_ms;
static atomic_uint_fast64_t sequence;
static double process_started_ms; /* on CLOCK_BOOTTIME */

static double read_clock(clockid_t id) {
    struct timespec t = {0};
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Field 22 of /proc/self/stat: ticks after boot. The name in field 2 may hold anything, so count from its last ')'. */
static double kernel_start_ms(void) {
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    double now = read_clock(CLOCK_BOOTTIME), ticks = -1;
    if (n > 0) {
        text[n] = '\0';
        char *p = strrchr(text, ')');
        for (int field = 2; p && field < 22; field++)
            p = strchr(p + 1, ' ');
        if (p)
            ticks = strtod(p, NULL);
    }
    double started = ticks * 1e3 / (double)sysconf(_SC_CLK_TCK);
    return ticks < 0 || started > now ? now : started;
}

/* False also for the 30th of February, which timegm would take for a day of March. */
static bool parse_time(const char *text, int64_t *ms) {
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    int day = tm.tm_mday;
    *ms = end && !*end ? (int64_t)timegm(&tm) * 1000 : 0;
    return end && !*end && tm.tm_mday == day;
}

static bool parse_seed(const char *text, uint64_t *out) {
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return isdigit((unsigned char)text[0]) && !*end && !errno;
}

/* NULL when it is not set. */
static const char *get_switch(const char *name) {
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static void read_switches(void) {
    const char *clock_text = get_switch("QUAERE_CLOCK"), *seed_text = get_switch("QUAERE_SEED");
    uint64_t seed;
    fixed = clock_text && parse_time(clock_text, &fixed_ms);
    seeded = seed_text && parse_seed(seed_text, &seed);
    if (seeded)
        atomic_store(&sequence, seed);
    process_started_ms = kernel_start_ms();
}

qa_status clock_check(qa_error *err) {
    const char *clock_text = get_switch("QUAERE_CLOCK"), *seed_text = get_switch("QUAERE_SEED");
    int64_t ms;
    uint64_t seed;
    if (clock_text && !parse_time(clock_text, &ms))
        return error_set(err, QA_BAD_USAGE, "QUAERE_CLOCK is \"%.60s\", which is no time such as 2026-01-31T12:00:00Z", clock_text);
    if (seed_text && !parse_seed(seed_text, &seed))
        return error_set(err, QA_BAD_USAGE, "QUAERE_SEED is \"%.60s\", which is no number from 0 to %llu", seed_text,
                         (unsigned long long)UINT64_MAX);
    return QA_OK;
}

bool clock_fixed(void) {
    pthread_once(&once, read_switches);
    return fixed;
}

int64_t clock_now_ms(void) {
    int64_t now = clock_fixed() ? fixed_ms : (int64_t)read_clock(CLOCK_REALTIME);
    return now < 0 ? 0 : now; /* stored times are not negative, whatever the machine believes */
}
double clock_mono_ms(void) { return clock_fixed() ? 0 : read_clock(CLOCK_MONOTONIC); }
int64_t clock_timeout_ms(void) { return (int64_t)read_clock(CLOCK_MONOTONIC); }
double clock_since_start_ms(void) { return clock_fixed() ? 0 : read_clock(CLOCK_BOOTTIME) - process_started_ms; }

void clock_format(int64_t ms, char out[32]) {
    time_t t = (time_t)(ms / 1000);
    struct tm tm = {0};
    if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(out, 32, "?");
}

static uint64_t mix(uint64_t x) { /* the finaliser of SplitMix64 (Steele, Lea, Flood 2014) */
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

void clock_new_id(const char *prefix, char out[32]) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint64_t when = (uint64_t)clock_now_ms(), chance = 0;
    if (seeded || getrandom(&chance, sizeof chance, 0) != sizeof chance)
        chance = mix(atomic_fetch_add(&sequence, 1) ^ (seeded ? 0 : when));
    size_t n = strnlen(prefix, 7);
    memcpy(out, prefix, n);
    for (int shift = 45; shift >= 0; shift -= 5)
        out[n++] = digits[when >> shift & 31];
    for (int shift = 55; shift >= 0; shift -= 5)
        out[n++] = digits[chance >> shift & 31];
    out[n] = '\0';
}
