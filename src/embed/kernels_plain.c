/* The reference: what each kernel means, in the fewest words. It runs where nothing better can, an order of magnitude slower. */
#include "base/half.h"
#include "embed/kernels.h"
#include <math.h>
#include <string.h>

enum { PANEL = 8 };

static void multiply_f32(const float *x, size_t x_stride, size_t rows, size_t k, const float *packed, size_t n, const float *bias, float *out,
                         size_t out_stride) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < n; c++) {
            const float *w = packed + c / PANEL * PANEL * k + c % PANEL;
            float sum = bias ? bias[c] : 0;
            for (size_t i = 0; i < k; i++)
                sum += x[r * x_stride + i] * w[i * PANEL];
            out[r * out_stride + c] = sum;
        }
}

static float multiply_group(const uint8_t *x, struct embed_bytes meaning, size_t k, const int8_t *w, const float *scale) {
    int32_t sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += x[i] * w[i / 4 * PANEL * 4 + i % 4];
    return meaning.step * (scale[0] * (float)sum) + meaning.least * scale[PANEL];
}

static void multiply_int8(const uint8_t *x, const struct embed_bytes *meaning, size_t rows, size_t k, const int8_t *packed, const float *scales, size_t n,
                          const float *bias, float *out) {
    size_t groups = embed_count_groups(k);
    for (size_t r = 0; r < rows; r++, x += k, meaning += groups)
        for (size_t c = 0; c < n; c++) {
            const int8_t *w = packed + c / PANEL * PANEL * k + c % PANEL * 4;
            const float *scale = scales + c / PANEL * PANEL * 2 * groups + c % PANEL;
            float sum = bias[c];
            for (size_t g = 0, i = 0; g < groups; g++, i += EMBED_GROUP)
                sum += multiply_group(x + i, meaning[g], k - i < EMBED_GROUP ? k - i : EMBED_GROUP, w + i * PANEL, scale + g * 2 * PANEL);
            out[r * n + c] = sum;
        }
}

static struct embed_bytes quantise_group(const float *x, size_t n, uint8_t *out) {
    const float most = (float)embed_kernels_plain.activation_max;
    float low = x[0], high = x[0], odd = 0;
    for (size_t i = 0; i < n; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
        odd += x[i] - x[i]; /* no number where one of them is none or infinite */
    }
    float range = high - low + odd, step = range > EMBED_LEAST_RANGE ? range / most : 1;
    step = range < INFINITY ? step : NAN;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)fminf(fmaxf(rintf((x[i] - low) / step), 0), most);
    return (struct embed_bytes){step, low};
}

static void quantise(const float *x, size_t rows, size_t n, uint8_t *out, struct embed_bytes *meaning) {
    for (size_t r = 0; r < rows; r++, x += n, out += n)
        for (size_t i = 0; i < n; i += EMBED_GROUP)
            *meaning++ = quantise_group(x + i, n - i < EMBED_GROUP ? n - i : EMBED_GROUP, out + i);
}

static void add_norm(float *x, const float *add, size_t rows, size_t n, const float *gamma, const float *beta, float epsilon) {
    for (size_t r = 0; r < rows; r++, x += n) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] += add ? add[r * n + i] : 0;
            mean += x[i];
        }
        mean /= (double)n;
        for (size_t i = 0; i < n; i++)
            variance += (x[i] - mean) * (x[i] - mean);
        double scale = 1 / sqrt(variance / (double)n + epsilon);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((x[i] - mean) * scale * gamma[i] + beta[i]);
    }
}

static void gelu(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] * 0.5 * (1 + erf(x[i] * 0.70710678118654752)));
}

static void softmax(float *x, size_t n) {
    float high = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        high = fmaxf(high, x[i]);
    for (size_t i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - high);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] / sum);
}

static void widen_f16(const void *x, size_t n, float *out) {
    const uint8_t *bytes = x;
    for (size_t i = 0; i < n; i++)
        out[i] = half_to_float((uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8));
}

const struct embed_kernels embed_kernels_plain = {
    .name = "plain",
    .panel = PANEL,
    .activation_max = 255,
    .weight_max = 127,
    .multiply_f32 = multiply_f32,
    .multiply_int8 = multiply_int8,
    .quantise = quantise,
    .add_norm = add_norm,
    .gelu = gelu,
    .softmax = softmax,
    .widen_f16 = widen_f16,
};
