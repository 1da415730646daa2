/* The repository's models.conf, made into C by cmake/models.cmake. */
#ifndef MODEL_BUILTIN_H
#define MODEL_BUILTIN_H

#include <stddef.h>

extern const unsigned char model_builtin[];
extern const size_t model_builtin_size;

#endif
