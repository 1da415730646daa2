/* The kernels with vectors, written once with GCC's vector types and compiled for each width: the including file sets the width
 * and has included a target with what has no vector type (products of bytes, conversions).
 *
 *     LANES          floats in a register
 *     F32_ROWS       rows of a tile of the f32 product, INT8_ROWS likewise: as many as the registers hold
 *     ACTIVATION_MAX what add_bytes can bear
 *     add_bytes(sum, x0, w0, x1, w1): sum + the products of four bytes in each lane, for two steps of k
 *     narrow(v): LANES whole numbers within 0..255 to as many bytes
 *     widen(p): LANES 16-bit floats to floats
 *     round_vector(v): to the nearest whole number, ties to even
 *     larger(a, b), smaller(a, b): b where a is no number
 *
 * exp and the error function are polynomials: exp after range reduction by ln 2 in two parts (W. J. Cody, W. Waite, "Software Manual for the
 * Elementary Functions", 1980, chapter 6), coefficients of the Taylor series, whose error within +-ln(2)/2 is below 2e-7 of the value at degree 6; erf by formula
 * 7.1.26 of Abramowitz and Stegun, "Handbook of Mathematical Functions", absolute error below 1.5e-7. */
/* In a fixed order, halves onto halves. */
INLINE float sum_lanes(vec v) {
    float x[LANES];
    memcpy(x, &v, sizeof x);
    for (size_t n = LANES / 2; n; n /= 2)
        for (size_t i = 0; i < n; i++)
            x[i] += x[i + n];
    return x[0];
}
INLINE float max_lanes(vec v) {
    float x[LANES], most;
    memcpy(x, &v, sizeof x);
    most = x[0];
    for (size_t i = 1; i < LANES; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

/* ---- Products ---- */

/* What a panel holds beyond column n stays unwritten. */
INLINE void put(float *out, vec low, vec high, size_t columns) {
    if (columns >= PANEL) {
        store(out, low);
        store(out + LANES, high);
        return;
    }
    float part[PANEL];
    store(part, low);
    store(part + LANES, high);
    memcpy(out, part, columns * sizeof *out);
}

/* A panel's worth of something by column; NULL, and what lies beyond column n: zeros. */
INLINE void take_columns(const float *from, size_t columns, vec v[2]) {
    float part[PANEL] = {0};
    if (from && columns < PANEL) {
        memcpy(part, from, columns * sizeof *part);
        from = part;
    }
    v[0] = from ? load(from) : (vec){0};
    v[1] = from ? load(from + LANES) : (vec){0};
}

INLINE void tile_f32(size_t rows, const float *x, size_t x_stride, size_t k, const float *w, const float *bias, float *out, size_t out_stride,
                     size_t columns) {
    vec sum[F32_ROWS][2], first[2];
    take_columns(bias, columns, first);
    UNROLL for (size_t r = 0; r < rows; r++) {
        sum[r][0] = first[0];
        sum[r][1] = first[1];
    }
    for (size_t i = 0; i < k; i++, w += PANEL) {
        vec low = load(w), high = load(w + LANES);
        UNROLL for (size_t r = 0; r < rows; r++) {
            vec a = splat(x[r * x_stride + i]);
            sum[r][0] += a * low;
            sum[r][1] += a * high;
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++)
        put(out + r * out_stride, sum[r][0], sum[r][1], columns);
}

static void multiply_f32(const float *x, size_t x_stride, size_t rows, size_t k, const float *packed, size_t n, const float *bias, float *out,
                         size_t out_stride) {
    for (size_t c = 0; c < n; c += PANEL, packed += PANEL * k) {
        const float *b = bias ? bias + c : NULL;
        size_t r = 0;
        for (; r + F32_ROWS <= rows; r += F32_ROWS)
            tile_f32(F32_ROWS, x + r * x_stride, x_stride, k, packed, b, out + r * out_stride + c, out_stride, n - c);
        for (; r + F32_ROWS / 3 <= rows; r += F32_ROWS / 3)
            tile_f32(F32_ROWS / 3, x + r * x_stride, x_stride, k, packed, b, out + r * out_stride + c, out_stride, n - c);
        for (; r < rows; r++)
            tile_f32(1, x + r * x_stride, x_stride, k, packed, b, out + r * out_stride + c, out_stride, n - c);
    }
}

INLINE ivec four_bytes(const uint8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return splat_int(v);
}

/* One panel of the weights, and where its outputs go. */
struct bytes_panel {
    size_t k, groups, columns, out_stride;
    const int8_t *packed;
    const float *scales, *bias;
};

INLINE void tile_int8(const struct bytes_panel *p, size_t rows, const uint8_t *x, const struct embed_bytes *meaning, float *out) {
    const int8_t *w = p->packed;
    const float *scale = p->scales;
    vec total[INT8_ROWS][2], first[2];
    take_columns(p->bias, p->columns, first);
    UNROLL for (size_t r = 0; r < rows; r++) {
        total[r][0] = first[0];
        total[r][1] = first[1];
    }
    for (size_t g = 0, i = 0; g < p->groups; g++, scale += 2 * PANEL) {
        ivec sum[INT8_ROWS][2];
        UNROLL for (size_t r = 0; r < rows; r++)
            sum[r][0] = sum[r][1] = (ivec){0};
        for (size_t end = p->k - i < EMBED_GROUP ? p->k : i + EMBED_GROUP; i < end; i += 8, w += PANEL * 8) {
            ivec w00 = load_int(w), w01 = load_int(w + 4 * LANES), w10 = load_int(w + 8 * LANES), w11 = load_int(w + 12 * LANES);
            UNROLL for (size_t r = 0; r < rows; r++) {
                ivec x0 = four_bytes(x + r * p->k + i), x1 = four_bytes(x + r * p->k + i + 4);
                sum[r][0] = add_bytes(sum[r][0], x0, w00, x1, w10);
                sum[r][1] = add_bytes(sum[r][1], x0, w01, x1, w11);
            }
        }
        UNROLL for (size_t r = 0; r < rows; r++) {
            vec step = splat(meaning[r * p->groups + g].step), least = splat(meaning[r * p->groups + g].least);
            for (size_t h = 0; h < 2; h++)
                total[r][h] += step * (load(scale + h * LANES) * __builtin_convertvector(sum[r][h], vec)) + least * load(scale + PANEL + h * LANES);
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++)
        put(out + r * p->out_stride, total[r][0], total[r][1], p->columns);
}

static void multiply_int8(const uint8_t *x, const struct embed_bytes *meaning, size_t rows, size_t k, const int8_t *packed, const float *scales, size_t n,
                          const float *bias, float *out) {
    size_t groups = embed_count_groups(k);
    for (size_t c = 0; c < n; c += PANEL, packed += PANEL * k, scales += 2 * PANEL * groups) {
        const struct bytes_panel p = {k, groups, n - c, n, packed, scales, bias + c};
        size_t r = 0;
        for (; r + INT8_ROWS <= rows; r += INT8_ROWS)
            tile_int8(&p, INT8_ROWS, x + r * k, meaning + r * groups, out + r * n + c);
        for (; r < rows; r++)
            tile_int8(&p, 1, x + r * k, meaning + r * groups, out + r * n + c);
    }
}

/* ---- Rows ---- */

/* The last vector of a row may reach beyond it: what is there counts as `rest`. */
INLINE vec load_part(const float *p, size_t n, float rest) {
    if (n >= LANES)
        return load(p);
    float part[LANES];
    for (size_t i = 0; i < LANES; i++)
        part[i] = i < n ? p[i] : rest;
    return load(part);
}
INLINE void store_part(float *p, vec v, size_t n) {
    if (n >= LANES) {
        store(p, v);
        return;
    }
    float part[LANES];
    store(part, v);
    memcpy(p, part, n * sizeof *p);
}

INLINE void narrow_part(ivec v, uint8_t *p, size_t n) {
    if (n >= LANES) {
        narrow(v, p);
        return;
    }
    uint8_t part[LANES];
    narrow(v, part);
    memcpy(p, part, n);
}

INLINE struct embed_bytes quantise_group(const float *x, size_t n, uint8_t *out) {
    const float most = ACTIVATION_MAX;
    vec low = splat(x[0]), high = low, odd = {0};
    for (size_t i = 0; i < n; i += LANES) {
        vec v = load_part(x + i, n - i, x[0]);
        low = smaller(v, low);
        high = larger(v, high);
        odd += v - v; /* no number where one of them is none or infinite */
    }
    float least = -max_lanes(-low), range = max_lanes(high) - least + sum_lanes(odd), step = range > EMBED_LEAST_RANGE ? range / most : 1;
    step = range < INFINITY ? step : NAN;
    vec inverse = splat(1 / step);
    for (size_t i = 0; i < n; i += LANES) {
        vec v = round_vector((load_part(x + i, n - i, x[0]) - splat(least)) * inverse);
        narrow_part(__builtin_convertvector(larger(smaller(v, splat(most)), splat(0)), ivec), out + i, n - i);
    }
    return (struct embed_bytes){step, least};
}

static void quantise(const float *x, size_t rows, size_t n, uint8_t *out, struct embed_bytes *meaning) {
    for (size_t r = 0; r < rows; r++, x += n, out += n) {
        size_t i = 0;
        for (; i + EMBED_GROUP <= n; i += EMBED_GROUP)
            *meaning++ = quantise_group(x + i, EMBED_GROUP, out + i);
        if (i < n)
            *meaning++ = quantise_group(x + i, n - i, out + i);
    }
}

static void add_norm(float *x, const float *add, size_t rows, size_t n, const float *gamma, const float *beta, float epsilon) {
    for (size_t r = 0; r < rows; r++, x += n, add = add ? add + n : NULL) {
        vec total = {0}, squares = {0};
        for (size_t i = 0; i < n; i += LANES) {
            vec v = load_part(x + i, n - i, 0);
            if (add)
                v += load_part(add + i, n - i, 0);
            total += v;
            store_part(x + i, v, n - i);
        }
        float mean = sum_lanes(total) / (float)n;
        for (size_t i = 0; i < n; i += LANES) {
            vec v = load_part(x + i, n - i, mean) - splat(mean);
            squares += v * v;
        }
        float scale = 1 / sqrtf(sum_lanes(squares) / (float)n + epsilon);
        for (size_t i = 0; i < n; i += LANES) {
            vec v = (load_part(x + i, n - i, 0) - splat(mean)) * splat(scale);
            store_part(x + i, v * load_part(gamma + i, n - i, 0) + load_part(beta + i, n - i, 0), n - i);
        }
    }
}

/* For x <= 0; below -87 the result is about 1e-38, not 0. */
INLINE vec exp_vector(vec x) {
    x = larger(splat(-87), x); /* what is no number stays none */
    vec n = round_vector(x * splat(1.44269504F));
    vec r = x - n * splat(0.693359375F) + n * splat(2.12194440e-4F);
    vec p = splat(1.0F / 720);
    p = p * r + splat(1.0F / 120);
    p = p * r + splat(1.0F / 24);
    p = p * r + splat(1.0F / 6);
    p = p * r + splat(0.5F);
    p = p * r + splat(1);
    p = p * r + splat(1);
    return p * (vec)((__builtin_convertvector(n, ivec) + 127) << 23);
}

static void gelu(float *x, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        vec v = load_part(x + i, n - i, 0), z = (vec)((ivec)v & 0x7FFFFFFF) * splat(0.70710678F);
        vec t = splat(1) / (splat(1) + splat(0.3275911F) * z);
        vec p = splat(1.061405429F);
        p = p * t + splat(-1.453152027F);
        p = p * t + splat(1.421413741F);
        p = p * t + splat(-0.284496736F);
        p = p * t + splat(0.254829592F);
        vec tail = splat(0.5F) * p * t * exp_vector(-z * z); /* (1 - erf(|x| / sqrt 2)) / 2 */
        store_part(x + i, v * choose(v < splat(0), tail, splat(1) - tail), n - i);
    }
}

static void softmax(float *x, size_t n) {
    vec high = splat(-INFINITY), total = {0};
    for (size_t i = 0; i < n; i += LANES)
        high = larger(high, load_part(x + i, n - i, -INFINITY));
    vec most = splat(max_lanes(high));
    for (size_t i = 0; i < n; i += LANES) {
        vec v = exp_vector(load_part(x + i, n - i, -INFINITY) - most);
        if (n - i < LANES) {
            float part[LANES];
            store(part, v);
            v = load_part(part, n - i, 0);
        }
        total += v;
        store_part(x + i, v, n - i);
    }
    vec scale = splat(1 / sum_lanes(total));
    for (size_t i = 0; i < n; i += LANES)
        store_part(x + i, load_part(x + i, n - i, 0) * scale, n - i);
}

static void widen_f16(const void *x, size_t n, float *out) {
    const uint8_t *p = x;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(out + i, widen(p + 2 * i));
    if (i < n) {
        uint8_t part[2 * LANES] = {0};
        memcpy(part, p + 2 * i, 2 * (n - i));
        store_part(out + i, widen(part), n - i);
    }
}
