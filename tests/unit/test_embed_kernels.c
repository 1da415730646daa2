/* Every table of kernels that this processor can run, and those for AVX-512 once more in plain C (tests/simde/immintrin.h), against sums in double precision
 * or in whole numbers. Inputs and outputs are blocks of exactly their size, so that ASan sees what is read or written beside them; outputs have guards besides. */
#include "base/half.h"
#include "embed/matrix.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 14, GUARD = 64, MOST_TABLES = 8 }; /* ROWS: beyond the tallest tile, with a rest */
#define UNIT 0x1p-24                             /* half of a float's last place, relative */

extern const struct embed_kernels embed_kernels_avx512_in_c, embed_kernels_vnni_in_c, embed_kernels_bf16_in_c;

static struct table {
    const char *name;
    const struct embed_kernels *kernels;
} tables[MOST_TABLES];
static size_t n_tables;

static void list_tables(void) {
    const struct embed_kernels *native[5];
    const size_t n = embed_list_kernels(native);
    for (size_t i = 0; i < n; i++)
        tables[n_tables++] = (struct table){native[i]->name, native[i]};
    tables[n_tables++] = (struct table){"avx512 in C", &embed_kernels_avx512_in_c};
    tables[n_tables++] = (struct table){"vnni in C", &embed_kernels_vnni_in_c};
    tables[n_tables++] = (struct table){"bf16 in C", &embed_kernels_bf16_in_c};
}

#define EACH_TABLE(t) (const struct table *t = tables; t < tables + n_tables; t++)

/* ---- Inputs ---- */

static uint64_t state;
static uint32_t draw(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}
static void seed(uint64_t n) { state = 0x9E3779B97F4A7C15U * (n + 1); }
static float draw_float(void) { return (float)((int32_t)draw() * 0x1p-31); } /* -1 to 1 */

static void *block(size_t n) {
    void *p = malloc(n ? n : 1);
    assert_non_null(p);
    return p;
}
static void *guarded(size_t n) { return memset(block(n + GUARD), 0xA5, n + GUARD); }
static bool guard_holds(const void *p, size_t n) {
    const uint8_t *bytes = p;
    for (size_t i = 0; i < GUARD; i++)
        if (bytes[n + i] != 0xA5)
            return false;
    return true;
}
static float *floats(size_t n) {
    float *x = block(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw_float();
    return x;
}
static size_t padded(const struct table *t, size_t n) { return (n + t->kernels->panel - 1) / t->kernels->panel * t->kernels->panel; }

/* All columns up to more than two of the widest panels with a short k, some of them with longer ones. */
static const size_t some_columns[] = {1, 7, 8, 15, 16, 17, 32, 33, 70}, some_inputs[] = {8, 16, 40, 64, 72, 384, 1536};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void for_shapes(void (*check)(const struct table *t, size_t k, size_t n)) {
    seed(1);
    for EACH_TABLE (t) {
        for (size_t n = 1; n <= 70; n++)
            check(t, 8, n);
        for (size_t i = 0; i < COUNT(some_columns); i++)
            check(t, 24, some_columns[i]);
        for (size_t i = 0; i < COUNT(some_inputs); i++)
            check(t, some_inputs[i], some_inputs[i] > 100 ? 33 : 70);
    }
}

/* Errors of a sum of k roundings grow like its root; 4 of these are far from what is seen, and a lost or doubled product is farther. */
static double tolerance(double sizes, size_t k) { return 4 * sqrt((double)k + 4) * UNIT * sizes; }

/* ---- Products of bytes ---- */

struct bytes {
    size_t k, n, rows, groups;
    uint8_t *x;
    int8_t *w, *packed; /* w: [n][k] */
    int *zero;          /* [rows][groups], the byte that stands for 0 */
    struct embed_bytes *meaning;
    float *scale, *scales, *bias, *out; /* scale: [n][groups] */
};

static void make_bytes(struct bytes *b, const struct table *t, size_t rows, size_t k, size_t n) {
    *b = (struct bytes){.k = k, .n = n, .rows = rows, .groups = embed_count_groups(k)};
    b->x = block(rows * k);
    b->w = block(n * k);
    b->packed = embed_allocate(padded(t, n) * k, 1); /* zeros beyond column n */
    b->zero = block(rows * b->groups * sizeof *b->zero);
    b->meaning = block(rows * b->groups * sizeof *b->meaning);
    b->scale = block(n * b->groups * sizeof *b->scale);
    b->scales = embed_allocate(padded(t, n) * b->groups, 2 * sizeof *b->scales);
    b->bias = block(n * sizeof *b->bias);
    b->out = guarded(rows * n * sizeof *b->out);
    assert_non_null(b->packed);
    assert_non_null(b->scales);
}
/* From the steps, zeros, weights and scales: what the kernel takes. */
static void pack_bytes(struct bytes *b, const struct table *t) {
    size_t panel = t->kernels->panel;
    for (size_t i = 0; i < b->rows * b->groups; i++)
        b->meaning[i].least = -b->meaning[i].step * (float)b->zero[i];
    for (size_t c = 0; c < b->n; c++)
        for (size_t g = 0; g < b->groups; g++) {
            int32_t sum = 0;
            for (size_t i = g * EMBED_GROUP; i < b->k && i < (g + 1) * EMBED_GROUP; i++) {
                b->packed[c / panel * panel * b->k + i / 4 * panel * 4 + c % panel * 4 + i % 4] = b->w[c * b->k + i];
                sum += b->w[c * b->k + i];
            }
            float *scales = b->scales + (c / panel * b->groups + g) * 2 * panel + c % panel;
            scales[0] = b->scale[c * b->groups + g];
            scales[panel] = scales[0] * (float)sum;
        }
}
static void run_bytes(struct bytes *b, const struct table *t) {
    t->kernels->multiply_int8(b->x, b->meaning, b->rows, b->k, b->packed, b->scales, b->n, b->bias, b->out);
}
/* The product without the bias; *sizes: of all that is added. */
static double product_of(const struct bytes *b, size_t r, size_t c, double *sizes) {
    double product = 0;
    *sizes = 0;
    for (size_t g = 0; g < b->groups; g++) {
        int64_t sum = 0, of_weights = 0;
        int zero = b->zero[r * b->groups + g];
        double unit = (double)b->meaning[r * b->groups + g].step * b->scale[c * b->groups + g];
        for (size_t i = g * EMBED_GROUP; i < b->k && i < (g + 1) * EMBED_GROUP; i++) {
            sum += b->x[r * b->k + i] * (int64_t)b->w[c * b->k + i];
            of_weights += b->w[c * b->k + i];
        }
        product += unit * (double)(sum - zero * of_weights);
        *sizes += unit * (fabs((double)sum) + fabs((double)zero * (double)of_weights));
    }
    return product;
}
static void drop_bytes(struct bytes *b) {
    free(b->x);
    free(b->w);
    free(b->packed);
    free(b->zero);
    free(b->meaning);
    free(b->scale);
    free(b->scales);
    free(b->bias);
    free(b->out);
}

/* Steps and scales that are powers of two and no bias: nothing is rounded but the sum itself, so that another sum would show. */
static void check_whole_numbers(const struct table *t, const struct bytes *b, const char *what) {
    for (size_t r = 0; r < b->rows; r++)
        for (size_t c = 0; c < b->n; c++) {
            double sizes, expected = product_of(b, r, c, &sizes);
            if (b->out[r * b->n + c] != expected)
                fail_msg("%s, %s, %zu rows of %zu by %zu: row %zu, column %zu is %.9g and not %.9g", t->name, what, b->rows, b->k, b->n, r, c,
                         (double)b->out[r * b->n + c], expected);
        }
    if (!guard_holds(b->out, b->rows * b->n * sizeof *b->out))
        fail_msg("%s, %s: %zu rows of %zu by %zu write beyond their end", t->name, what, b->rows, b->k, b->n);
}

static void check_bytes(const struct table *t, size_t k, size_t n) {
    struct bytes b;
    make_bytes(&b, t, ROWS, k, n);
    for (size_t i = 0; i < ROWS * k; i++)
        b.x[i] = (uint8_t)(draw() % (t->kernels->activation_max + 1u));
    for (size_t i = 0; i < n * k; i++)
        b.w[i] = (int8_t)((int)(draw() % (2u * t->kernels->weight_max + 1)) - t->kernels->weight_max);
    for (size_t i = 0; i < ROWS * b.groups; i++) {
        b.meaning[i].step = i % 2 ? 0.5F : 1;
        b.zero[i] = (int)(draw() % (t->kernels->activation_max + 1u));
    }
    for (size_t i = 0; i < n * b.groups; i++)
        b.scale[i] = i % 3 ? 1 : 0.5F;
    memset(b.bias, 0, n * sizeof *b.bias);
    pack_bytes(&b, t);
    run_bytes(&b, t);
    check_whole_numbers(t, &b, "any bytes");
    /* with what is usual around the sums, some roundings for each group may differ */
    for (size_t i = 0; i < n * b.groups; i++)
        b.scale[i] = 0.001F + fabsf(draw_float());
    for (size_t c = 0; c < n; c++)
        b.bias[c] = draw_float();
    pack_bytes(&b, t);
    run_bytes(&b, t);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < n; c++) {
            double sizes, expected = product_of(&b, r, c, &sizes) + b.bias[c];
            if (!(fabs(b.out[r * n + c] - expected) <= tolerance(sizes + fabs(expected), b.groups)))
                fail_msg("%s, %zu by %zu: row %zu, column %zu is %.9g and not %.9g", t->name, k, n, r, c, (double)b.out[r * n + c], expected);
        }
    drop_bytes(&b);
}
static void products_of_bytes_are_exact(void **s) { (void)s, for_shapes(check_bytes); }

/* What activation_max and weight_max promise: no partial sum overflows, be it of 16 bits. */
static void the_largest_bytes_do_not_overflow(void **s) {
    (void)s;
    static const struct {
        const char *what;
        int weights[4], bytes[4]; /* -1, 0, 1: times the maximum */
    } rows[] = {
        {"all largest", {1, 1, 1, 1}, {1, 1, 1, 1}},
        {"all smallest", {-1, -1, -1, -1}, {1, 1, 1, 1}},
        {"pairs of each sign", {1, 1, -1, -1}, {1, 1, 1, 1}},
        {"signs in turn", {1, -1, 1, -1}, {1, 1, 1, 1}},
        {"every second one", {1, -1, 1, -1}, {1, 0, 1, 0}},
    };
    for EACH_TABLE (t)
        for (size_t i = 0; i < COUNT(rows); i++) {
            struct bytes b;
            make_bytes(&b, t, ROWS, 1536, 33);
            for (size_t k = 0; k < ROWS * b.k; k++)
                b.x[k] = (uint8_t)(rows[i].bytes[k % 4] * t->kernels->activation_max);
            for (size_t k = 0; k < b.n * b.k; k++)
                b.w[k] = (int8_t)(rows[i].weights[k % 4] * t->kernels->weight_max);
            for (size_t k = 0; k < ROWS * b.groups; k++)
                b.meaning[k].step = 1, b.zero[k] = k / b.groups % 2 ? t->kernels->activation_max : 0;
            for (size_t k = 0; k < b.n * b.groups; k++)
                b.scale[k] = 1;
            memset(b.bias, 0, b.n * sizeof *b.bias);
            pack_bytes(&b, t);
            run_bytes(&b, t);
            check_whole_numbers(t, &b, rows[i].what);
            drop_bytes(&b);
        }
}

/* ---- Products of floats ---- */

static void check_floats(const struct table *t, size_t k, size_t n) {
    const size_t x_stride = k + 5, out_stride = n + 3, panel = t->kernels->panel;
    float *x = floats((ROWS - 1) * x_stride + k), *w = floats(n * k), *bias = floats(n), *packed = embed_allocate(padded(t, n) * k, sizeof *packed);
    const size_t size = ((ROWS - 1) * out_stride + n) * sizeof *x;
    float *out = guarded(size);
    assert_non_null(packed);
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < k; i++)
            packed[c / panel * panel * k + i * panel + c % panel] = w[c * k + i];
    for (int with = 0; with < 2; with++) {
        t->kernels->multiply_f32(x, x_stride, ROWS, k, packed, n, with ? bias : NULL, out, out_stride);
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < n; c++) {
                double sum = with ? bias[c] : 0, sizes = fabs(sum);
                for (size_t i = 0; i < k; i++) {
                    sum += (double)x[r * x_stride + i] * w[c * k + i];
                    sizes += fabs((double)x[r * x_stride + i] * w[c * k + i]);
                }
                if (!(fabs(out[r * out_stride + c] - sum) <= tolerance(sizes, k)))
                    fail_msg("%s, %zu by %zu: row %zu, column %zu is %.9g and not %.9g", t->name, k, n, r, c, (double)out[r * out_stride + c], sum);
            }
    }
    bool gaps = guard_holds(out, size);
    for (size_t i = 0; i + 1 < ROWS; i++)
        gaps = gaps && memcmp(out + i * out_stride + n, "\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5", 12) == 0;
    if (!gaps)
        fail_msg("%s, %zu by %zu: writes between or behind the rows", t->name, k, n);
    free(x);
    free(w);
    free(bias);
    free(packed);
    free(out);
}
static void products_of_floats(void **s) {
    (void)s;
    for_shapes(check_floats);
    for EACH_TABLE (t) /* attention: any k */
        for (size_t k = 1; k < 8; k++)
            check_floats(t, k, 33);
}

static uint16_t draw_bf16(void) {
    uint32_t bits = half_bits_of(draw_float() + 2) ^ (draw() & 0x80000000);
    return (uint16_t)(bits >> 16);
}
static double bf16(uint16_t x) { return half_float_of((uint32_t)x << 16); }

static void check_bf16(const struct table *t, size_t k, size_t n) {
    const size_t panel = t->kernels->panel;
    if (!t->kernels->multiply_bf16)
        return;
    uint16_t *x = block(ROWS * k * sizeof *x), *w = block(n * k * sizeof *w), *packed = embed_allocate(padded(t, n) * k, sizeof *packed);
    float *bias = floats(n), *out = guarded(ROWS * n * sizeof *out);
    assert_non_null(packed);
    for (size_t i = 0; i < ROWS * k; i++)
        x[i] = draw_bf16();
    for (size_t i = 0; i < n * k; i++)
        w[i] = draw_bf16();
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < k; i++)
            packed[c / panel * panel * k + i / 2 * panel * 2 + c % panel * 2 + i % 2] = w[c * k + i];
    t->kernels->multiply_bf16(x, ROWS, k, packed, n, bias, out);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < n; c++) {
            double sum = bias[c], sizes = fabs(sum);
            for (size_t i = 0; i < k; i++) {
                sum += bf16(x[r * k + i]) * bf16(w[c * k + i]);
                sizes += fabs(bf16(x[r * k + i]) * bf16(w[c * k + i]));
            }
            if (!(fabs(out[r * n + c] - sum) <= tolerance(sizes, k)))
                fail_msg("%s, %zu by %zu: row %zu, column %zu is %.9g and not %.9g", t->name, k, n, r, c, (double)out[r * n + c], sum);
        }
    assert_true(guard_holds(out, ROWS * n * sizeof *out));
    free(x);
    free(w);
    free(packed);
    free(bias);
    free(out);
}
static void products_of_short_floats(void **s) { (void)s, for_shapes(check_bf16); }

/* ---- Rows by themselves ---- */

static void weights_row(const void *user, size_t output, float *out);
struct layer {
    struct embed_weights weights;
    float *w, *bias;
};
static void make_layer(struct layer *l, size_t k, size_t n) {
    *l = (struct layer){.w = floats(n * k), .bias = floats(n)};
    l->weights = (struct embed_weights){.k = k, .n = n, .row = weights_row, .bias = l->bias};
}
static void weights_row(const void *user, size_t output, float *out) {
    const struct layer *l = user;
    memcpy(out, l->w + output * l->weights.k, l->weights.k * sizeof *out);
}
static void drop_layer(struct layer *l) {
    free(l->w);
    free(l->bias);
}

static const char *const precisions[] = {[EMBED_INT8] = "int8", [EMBED_BF16] = "bf16", [EMBED_F32] = "f32"};

/* The bytes of a row are the same with 0 to 13 others before and behind it. */
static void a_row_does_not_depend_on_others(void **s) {
    (void)s;
    enum { K = 104, N = 37 };
    seed(2);
    for EACH_TABLE (t)
        for (enum embed_precision precision = EMBED_INT8; precision <= EMBED_F32; precision++) {
            struct layer l;
            struct embed_matrix m;
            struct embed_room room;
            float *x = floats(ROWS * K), *all = block(ROWS * N * sizeof *all), *part = block(ROWS * N * sizeof *part);
            make_layer(&l, K, N);
            l.weights.user = &l;
            assert_int_equal(embed_pack_matrix(t->kernels, precision, &l.weights, &m, NULL), QA_OK);
            assert_int_equal(embed_make_room(ROWS, K, &room, NULL), QA_OK);
            embed_multiply(&m, x, ROWS, &room, all);
            for (size_t from = 0; from < ROWS; from++)
                for (size_t rows = 1; from + rows <= ROWS; rows++) {
                    embed_multiply(&m, x + from * K, rows, &room, part);
                    if (memcmp(part, all + from * N, rows * N * sizeof *part) != 0)
                        fail_msg("%s, %s: rows %zu to %zu alone are not as among %d", t->name, precisions[precision], from, from + rows - 1, ROWS);
                }
            embed_free_room(&room);
            embed_free_matrix(&m);
            drop_layer(&l);
            free(x);
            free(all);
            free(part);
        }
}

/* ---- Matrices ---- */

/* What rounding to bytes or short floats can do at most, from the steps that were used. */
static double most_error(const struct embed_matrix *m, const struct embed_room *room, const struct layer *l, const float *x, size_t r, size_t c) {
    double sizes = fabs(l->bias[c]), rounding = 0;
    for (size_t i = 0; i < m->k; i++) {
        double a = x[r * m->k + i], b = l->w[c * m->k + i];
        sizes += fabs(a * b);
        if (m->precision == EMBED_INT8) {
            size_t groups = embed_count_groups(m->k), g = i / EMBED_GROUP, panel = m->kernels->panel;
            double step = room->meaning[r * groups + g].step, scale = m->scales[(c / panel * groups + g) * 2 * panel + c % panel];
            rounding += 0.5001 * step * fabs(b) + 0.5001 * scale * fabs(a) + 0.26 * step * scale;
        } else if (m->precision == EMBED_BF16) {
            rounding += (0x1p-8 + 0x1p-18) * fabs(a * b);
        }
    }
    return rounding + tolerance(sizes, m->k);
}

static void check_matrix(const struct table *t, enum embed_precision precision, size_t k, size_t n) {
    struct layer l;
    struct embed_matrix m;
    struct embed_room room;
    float *x = floats(ROWS * k), *out = guarded(ROWS * n * sizeof *out);
    double worst = 0, sum_of_errors = 0, sum_of_bounds = 0;
    make_layer(&l, k, n);
    l.weights.user = &l;
    assert_int_equal(embed_pack_matrix(t->kernels, precision, &l.weights, &m, NULL), QA_OK);
    assert_int_equal(embed_make_room(ROWS, k, &room, NULL), QA_OK);
    assert_true(m.precision == precision || (precision == EMBED_BF16 && m.precision == EMBED_F32 && !t->kernels->multiply_bf16));
    embed_multiply(&m, x, ROWS, &room, out);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < n; c++) {
            double sum = l.bias[c], bound = most_error(&m, &room, &l, x, r, c);
            for (size_t i = 0; i < k; i++)
                sum += (double)x[r * k + i] * l.w[c * k + i];
            double error = fabs(out[r * n + c] - sum);
            worst = fmax(worst, error / bound);
            sum_of_errors += error;
            sum_of_bounds += bound;
            if (!(error <= bound))
                fail_msg("%s, %s, %zu by %zu: row %zu, column %zu is %.9g and not %.9g +- %.3g", t->name, precisions[precision], k, n, r, c,
                         (double)out[r * n + c], sum, bound);
        }
    assert_true(guard_holds(out, ROWS * n * sizeof *out));
    assert_true(k < 100 || sum_of_errors < 0.2 * sum_of_bounds); /* roundings go both ways */
    embed_free_room(&room);
    embed_free_matrix(&m);
    drop_layer(&l);
    free(x);
    free(out);
}
static void matrices_in_all_precisions(void **s) {
    (void)s;
    seed(3);
    for EACH_TABLE (t)
        for (enum embed_precision precision = EMBED_INT8; precision <= EMBED_F32; precision++) {
            for (size_t i = 0; i < COUNT(some_columns); i++)
                check_matrix(t, precision, 24, some_columns[i]);
            check_matrix(t, precision, 72, 33);
            check_matrix(t, precision, 384, 33);
        }
}

static void a_broken_weight_shows_in_its_column_alone(void **s) {
    (void)s;
    static const float broken[] = {NAN, INFINITY, -INFINITY};
    seed(4);
    for EACH_TABLE (t)
        for (enum embed_precision precision = EMBED_INT8; precision <= EMBED_F32; precision++)
            for (size_t i = 0; i < COUNT(broken); i++) {
                struct layer l;
                struct embed_matrix m;
                struct embed_room room;
                float *x = floats(16), out[9];
                make_layer(&l, 16, 9);
                l.weights.user = &l;
                l.w[3 * 16 + 7] = broken[i];
                assert_int_equal(embed_pack_matrix(t->kernels, precision, &l.weights, &m, NULL), QA_OK);
                assert_int_equal(embed_make_room(1, 16, &room, NULL), QA_OK);
                embed_multiply(&m, x, 1, &room, out);
                for (size_t c = 0; c < 9; c++)
                    if ((isfinite(out[c]) != 0) != (c != 3))
                        fail_msg("%s, %s, %g: column %zu is %g", t->name, precisions[precision], (double)broken[i], c, (double)out[c]);
                embed_free_room(&room);
                embed_free_matrix(&m);
                drop_layer(&l);
                free(x);
            }
}

static void sizes_that_overflow_are_no_memory(void **s) {
    (void)s;
    assert_null(embed_allocate(SIZE_MAX / 2, 4));
    assert_null(embed_allocate(SIZE_MAX, 1));
    float *none = embed_allocate(0, 4);
    assert_non_null(none);
    assert_int_equal((uintptr_t)none % EMBED_ALIGNMENT, 0);
    free(none);
}

/* ---- Floats to bytes ---- */

static const size_t widths[] = {1, 7, 8, 9, 15, 16, 17, 31, 33, 40, 64, 65, 384};

static void floats_to_bytes(void **s) {
    (void)s;
    static const struct {
        const char *what;
        float value, last; /* of all but the last; NAN there: any from -1 to 1 */
        bool finite;
    } rows[] = {
        {"any", NAN, NAN, true},
        {"zeros", 0, 0, true},
        {"negative zeros", -0.0F, -0.0F, true},
        {"a constant", 3.5F, 3.5F, true},
        {"a negative constant", -0.01F, -0.01F, true},
        {"one outlier", 0.001F, 1000, true},
        {"one outlier below", 0.001F, -1000, true},
        {"both signs", -1, 2, true},
        {"tiny ones", 1e-20F, -1e-20F, true},
        {"smaller than a normal number", 1e-44F, -1e-44F, true},
        {"large ones", 1e38F, -1e38F, true},
        {"a range beyond floats", 3e38F, -3e38F, false},
        {"one infinite", 1, INFINITY, false},
        {"one infinite below", 1, -INFINITY, false},
        {"all infinite", INFINITY, INFINITY, false},
        {"both infinities", INFINITY, -INFINITY, false},
    };
    seed(5);
    for EACH_TABLE (t)
        for (size_t width = 0; width < COUNT(widths); width++) {
            const size_t n = widths[width], groups = embed_count_groups(n);
            float *x = block(COUNT(rows) * n * sizeof *x);
            uint8_t *out = guarded(COUNT(rows) * n);
            struct embed_bytes *meaning = guarded(COUNT(rows) * groups * sizeof *meaning);
            for (size_t r = 0; r < COUNT(rows); r++)
                for (size_t i = 0; i < n; i++) {
                    float v = i + 1 < n ? rows[r].value : rows[r].last;
                    x[r * n + i] = isnan(v) ? draw_float() : v;
                }
            t->kernels->quantise(x, COUNT(rows), n, out, meaning);
            for (size_t r = 0; r < COUNT(rows); r++)
                for (size_t i = 0; i < n; i++) {
                    struct embed_bytes m = meaning[r * groups + i / EMBED_GROUP];
                    double v = x[r * n + i], step = m.step, rounding = 0.5001 * (step == 1 ? 0 : step) + 2 * UNIT * fabs(v) + 1e-30;
                    int q = out[r * n + i];
                    bool sound = q <= t->kernels->activation_max;
                    if (rows[r].finite) /* a step of 1 stands for numbers that are as good as one */
                        sound = sound && step > 0 && isfinite(step) && fabs(m.least + q * step - v) <= rounding;
                    if (!sound)
                        fail_msg("%s, %s, %zu wide: %g became %d, least %g, step %g", t->name, rows[r].what, n, v, q, (double)m.least, step);
                }
            assert_true(guard_holds(out, COUNT(rows) * n));
            assert_true(guard_holds(meaning, COUNT(rows) * groups * sizeof *meaning));
            free(x);
            free(out);
            free(meaning);
        }
}

/* What is no number must not become one on the way through bytes: the vector's owner would not see it. */
static void no_number_stays_none_through_bytes(void **s) {
    (void)s;
    static const float broken[] = {NAN, -NAN, INFINITY, -INFINITY};
    enum { K = 24, N = 9 };
    seed(6);
    for EACH_TABLE (t)
        for (size_t b = 0; b < COUNT(broken); b++)
            for (size_t at = 0; at < K; at++) {
                struct layer l;
                struct embed_matrix m;
                struct embed_room room;
                float *x = floats(3 * K), out[3 * N];
                make_layer(&l, K, N);
                l.weights.user = &l;
                x[K + at] = broken[b];
                assert_int_equal(embed_pack_matrix(t->kernels, EMBED_INT8, &l.weights, &m, NULL), QA_OK);
                assert_int_equal(embed_make_room(3, K, &room, NULL), QA_OK);
                embed_multiply(&m, x, 3, &room, out);
                for (size_t i = 0; i < 3 * N; i++)
                    if ((isfinite(out[i]) != 0) != (i / N != 1))
                        fail_msg("%s: %g at %zu of the second row, and row %zu has %g", t->name, (double)broken[b], at, i / N + 1, (double)out[i]);
                embed_free_room(&room);
                embed_free_matrix(&m);
                drop_layer(&l);
                free(x);
            }
}

/* ---- Functions of rows ---- */

static void normalising_sums(void **s) {
    (void)s;
    seed(7);
    for EACH_TABLE (t)
        for (size_t width = 0; width < COUNT(widths); width++)
            for (int with = 0; with < 2; with++) {
                const size_t n = widths[width], rows = 5;
                const float epsilon = 1e-12F;
                float *x = guarded(rows * n * sizeof *x), *add = floats(rows * n), *gamma = floats(n), *beta = floats(n), *before = floats(rows * n);
                for (size_t i = 0; i < n; i++) {
                    before[i] += 10;                   /* a mean far from zero */
                    before[n + i] *= 1e-3F;            /* small */
                    before[2 * n + i] *= i ? 1 : 500;  /* an outlier */
                    before[3 * n + i] = add[3 * n + i] = 0;
                }
                memcpy(x, before, rows * n * sizeof *x);
                t->kernels->add_norm(x, with ? add : NULL, rows, n, gamma, beta, epsilon);
                for (size_t r = 0; r < rows; r++) {
                    double mean = 0, variance = 0, size = 0;
                    for (size_t i = 0; i < n; i++) {
                        before[r * n + i] += with ? add[r * n + i] : 0;
                        mean += before[r * n + i] / (double)n;
                        size = fmax(size, fabs(before[r * n + i]));
                    }
                    for (size_t i = 0; i < n; i++)
                        variance += (before[r * n + i] - mean) * (before[r * n + i] - mean) / (double)n;
                    double scale = 1 / sqrt(variance + epsilon);
                    for (size_t i = 0; i < n && n > 1; i++) { /* one number is its own mean, to the last bit or not */
                        double expected = (before[r * n + i] - mean) * scale * gamma[i] + beta[i];
                        if (!(fabs(x[r * n + i] - expected) <= 16 * UNIT * (size * scale * fabs(gamma[i]) + fabs(expected) + 1)))
                            fail_msg("%s, %zu wide: number %zu of row %zu is %.9g and not %.9g", t->name, n, i, r, (double)x[r * n + i], expected);
                    }
                    for (size_t i = 0; i < n; i++)
                        assert_true(isfinite(x[r * n + i]) && (r != 3 || x[r * n + i] == beta[i]));
                }
                assert_true(guard_holds(x, rows * n * sizeof *x));
                free(x);
                free(add);
                free(gamma);
                free(beta);
                free(before);
            }
}

static void gelu_is_that_of_the_error_function(void **s) {
    (void)s;
    enum { N = 40001 };
    for EACH_TABLE (t) {
        float *x = guarded(N * sizeof *x), few[41];
        for (int i = 0; i < N; i++)
            x[i] = (float)(i - N / 2) * (12.0F / (N / 2));
        t->kernels->gelu(x, N);
        for (int i = 0; i < N; i++) {
            double v = (float)(i - N / 2) * (12.0F / (N / 2)), expected = v * 0.5 * erfc(-v * M_SQRT1_2);
            if (!(fabs(x[i] - expected) <= 1.5e-7 * fabs(v) + 1e-7))
                fail_msg("%s: of %.9g it is %.9g and not %.9g", t->name, v, (double)x[i], expected);
        }
        assert_true(guard_holds(x, N * sizeof *x));
        const float far[] = {1e4F, -1e4F, 3e38F, -3e38F, 0, -0.0F, 1e-40F, NAN};
        for (size_t n = 1; n <= 41; n++) { /* the same, wherever it stands */
            for (size_t i = 0; i < n; i++)
                few[i] = far[i % COUNT(far)];
            t->kernels->gelu(few, n);
            for (size_t i = 0; i < n; i++) {
                float v = far[i % COUNT(far)], most = v > 0 ? v : 0;
                if (isnan(v) ? !isnan(few[i]) : !(fabsf(few[i] - most) <= 1e-30F))
                    fail_msg("%s: of %g it is %g, at %zu of %zu", t->name, (double)v, (double)few[i], i, n);
            }
        }
        free(x);
    }
}

static void softmax_of_any_scores(void **s) {
    (void)s;
    static const struct {
        const char *what;
        float spread, offset, first;
    } rows[] = {
        {"near each other", 3, 0, 0},
        {"far apart", 100, 0, 0},
        {"large", 5, 1e4F, 1e4F},
        {"large below zero", 5, -1e4F, -1e4F},
        {"one far above", 1, 0, 500},
        {"the largest there are", 0, 3e38F, -3e38F},
        {"the lowest", 0, -3e38F, -3e38F},
        {"one alone counts", 1, -3e38F, 3e38F},
        {"one that is left out", 1, 0, -INFINITY},
    };
    seed(8);
    for EACH_TABLE (t)
        for (size_t i = 0; i < COUNT(rows); i++)
            for (size_t n = 1; n <= 70; n++) {
                float *x = guarded(n * sizeof *x);
                double *expected = block(n * sizeof *expected), high = -INFINITY, sum = 0, total = 0;
                for (size_t k = 0; k < n; k++) {
                    x[k] = k || (n == 1 && isinf(rows[i].first)) ? rows[i].offset + rows[i].spread * draw_float() : rows[i].first;
                    high = fmax(high, x[k]);
                }
                for (size_t k = 0; k < n; k++)
                    sum += expected[k] = exp(x[k] - high);
                t->kernels->softmax(x, n);
                for (size_t k = 0; k < n; k++) {
                    total += x[k];
                    if (!(x[k] >= 0 && fabs(x[k] - expected[k] / sum) <= 5e-6 * expected[k] / sum + 1e-30))
                        fail_msg("%s, %s: number %zu of %zu is %.9g and not %.9g", t->name, rows[i].what, k, n, (double)x[k], expected[k] / sum);
                }
                assert_true(fabs(total - 1) <= 1e-6);
                assert_true(guard_holds(x, n * sizeof *x));
                free(x);
                free(expected);
            }
}

/* One score that is no number makes the whole row none, so that it is not taken for a vector in the end. */
static void softmax_hides_no_broken_score(void **s) {
    (void)s;
    for EACH_TABLE (t)
        for (size_t n = 1; n <= 40; n++)
            for (size_t at = 0; at < n; at++) {
                float x[40];
                seed(9);
                for (size_t i = 0; i < n; i++)
                    x[i] = i == at ? NAN : draw_float();
                t->kernels->softmax(x, n);
                for (size_t i = 0; i < n; i++)
                    if (!isnan(x[i]))
                        fail_msg("%s: with no number at %zu of %zu, number %zu is %g", t->name, at, n, i, (double)x[i]);
            }
}

static void all_short_floats_become_long_ones(void **s) {
    (void)s;
    enum { ALL = 65536 };
    uint8_t *from = block(1 + 2 * ALL);
    for (size_t i = 0; i < ALL; i++) {
        from[1 + 2 * i] = (uint8_t)i;
        from[2 + 2 * i] = (uint8_t)(i >> 8);
    }
    for EACH_TABLE (t) {
        float *to = guarded(ALL * sizeof *to);
        t->kernels->widen_f16(from + 1, ALL, to);
        for (uint32_t i = 0; i < ALL; i++) {
            float expected = half_to_float(i);
            if (isnan(expected) ? !isnan(to[i]) : half_bits_of(to[i]) != half_bits_of(expected))
                fail_msg("%s: %04x became %g and not %g", t->name, i, (double)to[i], (double)expected);
        }
        assert_true(guard_holds(to, ALL * sizeof *to));
        for (size_t n = 0; n <= 40; n++) { /* the last ones of the block, so that nothing may be read behind */
            memset(to, 0xA5, ALL * sizeof *to);
            t->kernels->widen_f16(from + 1 + 2 * (0x4000 - n), n, to);
            for (size_t i = 0; i < n; i++)
                assert_true(to[i] == half_to_float((uint32_t)(0x4000 - n + i)));
            assert_true(guard_holds(to, n * sizeof *to));
        }
        free(to);
    }
    free(from);
}

static void tables_say_what_they_are(void **s) {
    (void)s;
    assert_string_equal(tables[0].name, "plain");
    for EACH_TABLE (t) {
        assert_in_range(t->kernels->panel, 1, EMBED_PANEL_MAX);
        assert_in_range(t->kernels->activation_max, 1, 255);
        assert_in_range(t->kernels->weight_max, 1, 127);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_say_what_they_are),
        cmocka_unit_test(products_of_bytes_are_exact),
        cmocka_unit_test(the_largest_bytes_do_not_overflow),
        cmocka_unit_test(products_of_floats),
        cmocka_unit_test(products_of_short_floats),
        cmocka_unit_test(a_row_does_not_depend_on_others),
        cmocka_unit_test(matrices_in_all_precisions),
        cmocka_unit_test(a_broken_weight_shows_in_its_column_alone),
        cmocka_unit_test(sizes_that_overflow_are_no_memory),
        cmocka_unit_test(floats_to_bytes),
        cmocka_unit_test(no_number_stays_none_through_bytes),
        cmocka_unit_test(normalising_sums),
        cmocka_unit_test(gelu_is_that_of_the_error_function),
        cmocka_unit_test(softmax_of_any_scores),
        cmocka_unit_test(softmax_hides_no_broken_score),
        cmocka_unit_test(all_short_floats_become_long_ones),
    };
    list_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
