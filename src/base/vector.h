/* Vectors of floats. */
#ifndef BASE_VECTOR_H
#define BASE_VECTOR_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Makes v one long. False, and v is as it was, when its length is not more than `least`, or no number. */
static inline bool vector_normalise(float *v, size_t n, double least) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * v[i];
    double length = sqrt(sum), scale = 1 / length;
    if (!(length > least) || !isfinite(length))
        return false;
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(v[i] * scale);
    return true;
}

#endif
