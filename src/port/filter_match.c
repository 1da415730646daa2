/* Does a document's metadata satisfy a filter?
 *
 * "!=" is the negation of "=" and nothing else, so that it is true of a missing value, and of a list only when none of its
 * elements is equal. "=" compares text exactly; a JSON number also equals every other way to write it (2 = 2.0 = 2e0). Order
 * exists between two values of the same kind only: numbers, dates, dotted versions, tried in this order, so that 1.10 < 1.9
 * (numbers) but v1.10 > v1.9 and 1.10.0 > 1.9. A date without a time stands for its whole day: on that day neither is before
 * the other. */
#include "port/filter.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum order { BEFORE = -1, SAME = 0, AFTER = 1, UNORDERED = 2 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static size_t digits(const char *s) {
    size_t n = 0;
    while (is_digit(s[n]))
        n++;
    return n;
}

/* ---- Numbers: [+-]digits[.digits][e[+-]digits], nothing that strtod would also take ---- */

struct number {
    bool whole; /* fits in 64 bits: compared exactly */
    long long integer;
    double real;
};

static bool number_syntax(const char *s, bool *whole) {
    s += *s == '+' || *s == '-';
    size_t n = digits(s);
    *whole = s[n] == '\0';
    if (!n)
        return false;
    s += n;
    if (*s == '.') {
        if (!(n = digits(s + 1)))
            return false;
        s += n + 1;
    }
    if (*s == 'e' || *s == 'E') {
        s += s[1] == '+' || s[1] == '-' ? 2 : 1;
        if (!(n = digits(s)))
            return false;
        s += n;
    }
    return *s == '\0';
}

static bool number_parse(const char *s, struct number *out) {
    if (!number_syntax(s, &out->whole))
        return false;
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c)
        return false;
    out->real = strtod_l(s, NULL, c);
    freelocale(c);
    if (out->whole) {
        errno = 0;
        out->integer = strtoll(s, NULL, 10);
        out->whole = errno == 0;
    }
    return isfinite(out->real);
}

static enum order number_order(const struct number *a, const struct number *b) {
    if (a->whole && b->whole)
        return (enum order)((a->integer > b->integer) - (a->integer < b->integer));
    return (enum order)((a->real > b->real) - (a->real < b->real));
}

/* ---- Dates: YYYY-MM-DD, then T or a space and hh:mm[:ss[.fraction]], then Z or +hh:mm; without a zone UTC ---- */

struct date {
    long day;        /* since 1970-01-01, in UTC */
    bool timed;
    double seconds;  /* of the day */
};

static bool two_digits(const char *s, int max, int *out) {
    if (!is_digit(s[0]) || !is_digit(s[1]))
        return false;
    *out = (s[0] - '0') * 10 + (s[1] - '0');
    return *out <= max;
}

/* Days from the civil calendar, counting years from March so that the leap day is the last of its year. */
static long day_number(int year, int month, int day) {
    int y = month <= 2 ? year - 1 : year;
    int shifted = (month + 9) % 12;
    long of_year = (153 * shifted + 2) / 5 + day - 1;
    return 365L * y + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

static bool date_zone(const char *s, int *minutes) {
    int h = 0, m = 0;
    *minutes = 0;
    if (*s == '\0' || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
        return true;
    if ((*s != '+' && *s != '-') || !two_digits(s + 1, 23, &h))
        return false;
    const char *rest = s + 3 + (s[3] == ':');
    if (!two_digits(rest, 59, &m) || rest[2] != '\0')
        return false;
    *minutes = (*s == '-' ? -1 : 1) * (h * 60 + m);
    return true;
}

static bool date_time(const char *s, struct date *out) {
    int hour = 0, minute = 0, second = 0, zone = 0;
    double fraction = 0;
    if (!two_digits(s, 23, &hour) || s[2] != ':' || !two_digits(s + 3, 59, &minute))
        return false;
    s += 5;
    if (*s == ':') {
        if (!two_digits(s + 1, 60, &second))
            return false;
        s += 3;
        if (*s == '.') {
            size_t n = digits(++s);
            double scale = 0.1;
            if (!n)
                return false;
            for (size_t i = 0; i < n; i++, scale /= 10)
                fraction += (s[i] - '0') * scale;
            s += n;
        }
    }
    if (*s == ' ')
        s++;
    if (!date_zone(s, &zone))
        return false;
    long minutes = hour * 60L + minute - zone;
    out->timed = true;
    out->day += minutes < 0 ? -1 : minutes / 1440;
    out->seconds = (double)((minutes + 1440) % 1440) * 60 + second + fraction;
    return true;
}

static bool date_parse(const char *s, struct date *out) {
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int month = 0, day = 0;
    if (digits(s) != 4 || s[4] != '-' || !two_digits(s + 5, 12, &month) || s[7] != '-' || !two_digits(s + 8, 31, &day))
        return false;
    int year = (s[0] - '0') * 1000 + (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0');
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || day < 1 || day > lengths[month - 1] || (month == 2 && day == 29 && !leap))
        return false;
    *out = (struct date){.day = day_number(year, month, day)};
    if (s[10] == '\0')
        return true;
    return (s[10] == 'T' || s[10] == 't' || s[10] == ' ') && date_time(s + 11, out);
}

static enum order date_order(const struct date *a, const struct date *b) {
    if (a->day != b->day || !a->timed || !b->timed)
        return (enum order)((a->day > b->day) - (a->day < b->day));
    return (enum order)((a->seconds > b->seconds) - (a->seconds < b->seconds));
}

/* ---- Dotted versions: [v]digits{.digits}; a missing part is 0 ---- */

static const char *version_start(const char *s) { return s + (*s == 'v' || *s == 'V'); }

static bool version_syntax(const char *s) {
    s = version_start(s);
    for (;;) {
        size_t n = digits(s);
        if (!n)
            return false;
        s += n;
        if (*s == '\0')
            return true;
        if (*s++ != '.')
            return false;
    }
}

/* The digits of the next part without leading zeros; moves past it and the dot. The end of the text gives an empty part,
 * which is 0. */
static size_t version_part(const char **s, const char **part) {
    while (**s == '0')
        (*s)++;
    size_t n = digits(*s);
    *part = *s;
    *s += n;
    *s += **s == '.';
    return n;
}

static enum order version_order(const char *a, const char *b) {
    a = version_start(a);
    b = version_start(b);
    while (*a || *b) {
        const char *x, *y;
        size_t n = version_part(&a, &x), m = version_part(&b, &y);
        int c = n != m ? (n > m) - (n < m) : memcmp(x, y, n);
        if (c)
            return c < 0 ? BEFORE : AFTER;
    }
    return SAME;
}

static enum order compare(const char *a, const char *b) {
    struct number na, nb;
    struct date da, db;
    if (number_parse(a, &na) && number_parse(b, &nb))
        return number_order(&na, &nb);
    if (date_parse(a, &da) && date_parse(b, &db))
        return date_order(&da, &db);
    if (version_syntax(a) && version_syntax(b))
        return version_order(a, b);
    return UNORDERED;
}

/* ---- One value against one comparison; FILTER_NE never comes here ---- */

static bool equal(const char *text, bool is_number, const char *value) {
    struct number a, b;
    if (strcmp(text, value) == 0)
        return true;
    return is_number && number_parse(text, &a) && number_parse(value, &b) && number_order(&a, &b) == SAME;
}

static bool holds(const struct filter *f, const char *text, bool is_number) {
    enum order order;
    switch (f->op) {
    case FILTER_EQ:
    case FILTER_IN:
        for (size_t i = 0; i < f->n_values; i++)
            if (equal(text, is_number, f->values[i]))
                return true;
        return false;
    case FILTER_PREFIX: return strncmp(text, f->values[0], strlen(f->values[0])) == 0;
    default: break;
    }
    order = compare(text, f->values[0]);
    if (order == UNORDERED)
        return false;
    return f->op == FILTER_LT ? order < 0 : f->op == FILTER_LE ? order <= 0 : f->op == FILTER_GT ? order > 0 : order >= 0;
}

static bool number_holds(const struct filter *f, const json_t *value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    bool yes = text && holds(f, text, true);
    free(text);
    return yes;
}

static bool value_holds(const struct filter *f, const json_t *value) {
    if (json_is_string(value))
        return holds(f, json_string_value(value), false);
    if (json_is_number(value))
        return number_holds(f, value);
    return json_is_boolean(value) && holds(f, json_is_true(value) ? "true" : "false", false);
}

/* Follows `field` into `value`: the whole rest as a key, else its part before the first dot; a list holds when an element
 * does. The depth is that of the metadata, which json_parse limits. */
static bool reach(const struct filter *f, const json_t *value, const char *field, size_t depth) {
    if (depth > 2 * JSON_MAX_DEPTH)
        return false;
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            if (reach(f, json_array_get(value, i), field, depth + 1))
                return true;
        return false;
    }
    if (!field)
        return value_holds(f, value);
    const json_t *member = json_object_get(value, field);
    if (member)
        return reach(f, member, NULL, depth + 1);
    const char *dot = strchr(field, '.');
    if (!dot)
        return false;
    member = json_object_getn(value, field, (size_t)(dot - field));
    return member && reach(f, member, dot + 1, depth + 1);
}

/* Fields that are no metadata. False when `field` is none of them. */
static bool own_field(const char *field, const struct filter_subject *s, const char **value) {
    const char *slash;
    if (strcmp(field, "path") == 0)
        *value = s ? s->path : NULL;
    else if (strcmp(field, "source") == 0)
        *value = s ? s->source : NULL;
    else if (strcmp(field, "name") == 0)
        *value = s && s->path ? ((slash = strrchr(s->path, '/')) ? slash + 1 : s->path) : NULL;
    else if (strcmp(field, "title") == 0)
        *value = s ? s->title : NULL;
    else if (strcmp(field, "url") == 0)
        *value = s ? s->url : NULL;
    else if (strcmp(field, "collection") == 0)
        *value = s ? s->collection : NULL;
    else
        return false;
    return true;
}

static bool comparison_matches(const struct filter *f, const struct filter_subject *s) {
    struct filter positive = *f;
    const char *value = NULL;
    if (f->op == FILTER_NE)
        positive.op = FILTER_EQ;
    bool yes = own_field(f->field, s, &value) ? value && holds(&positive, value, false)
                                              : s->metadata && reach(&positive, s->metadata, f->field, 0);
    return f->op == FILTER_NE ? !yes : yes;
}

bool filter_matches(const struct filter *filter, const struct filter_subject *subject) {
    if (!filter)
        return true;
    switch (filter->op) {
    case FILTER_NOT: return !filter_matches(filter->children[0], subject);
    case FILTER_AND:
    case FILTER_OR:
        for (size_t i = 0; i < filter->n_children; i++)
            if (filter_matches(filter->children[i], subject) == (filter->op == FILTER_OR))
                return filter->op == FILTER_OR;
        return filter->op == FILTER_AND;
    default: return comparison_matches(filter, subject);
    }
}

bool filter_needs_metadata(const struct filter *filter) {
    const char *ignored;
    if (!filter)
        return false;
    if (filter->field)
        return !own_field(filter->field, NULL, &ignored);
    for (size_t i = 0; i < filter->n_children; i++)
        if (filter_needs_metadata(filter->children[i]))
            return true;
    return false;
}
