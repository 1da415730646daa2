// Any bytes as safetensors: what the reader takes, lies in the file, shares no byte and is found by its name; what it refuses, it explains.
#include "model/safetensors.h"
#include <stdlib.h>
#include <string.h>

static volatile uint8_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct safetensors *s = NULL;
    qa_error err = {0};
    if (model_parse_safetensors("fuzz.safetensors", data, size, &s, &err) != QA_OK) {
        if (!err.message[0] || s)
            abort();
        return 0;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct safetensors_tensor *t = &s->tensors[i];
        if (model_find_safetensor(s, t->name) != t || t->data < data || t->data + t->size > data + size)
            abort();
        if (t->size)
            sink = (uint8_t)(t->data[0] ^ t->data[t->size - 1]);
        sum += t->size;
    }
    if (sum > size)
        abort();
    model_close_safetensors(s);
    return 0;
}
