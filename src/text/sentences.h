/* Sentences of a plain paragraph. Ends at . ! ? (also followed by closing quotes or brackets) before white space and
 * something that may begin a sentence; not after abbreviations (e.g., i.e., etc., vs., Dr., No., Fig.), initials, inside
 * numbers, versions and file names, nor before a lower-case word, but before one in back-quotes or that can only be a
 * name in code (boto3, ml.m5.large, max_jobs, iPhone, fit()). A blank line always ends one; ideographic full stops do
 * too. */
#ifndef TEXT_SENTENCES_H
#define TEXT_SENTENCES_H

#include <stdbool.h>
#include <stddef.h>

/* The end of the sentence that begins at `from`, trailing white space excluded; *next is where the following one begins
 * (len at the end). Returns from when nothing but white space is left. */
size_t sentence_end(const char *text, size_t len, size_t from, size_t *next);

/* For a text that is still coming: might more of it change where the sentence before `next` ends? The word behind it is
 * not whole yet, and decides. What is false once stays so. */
bool sentence_is_open(const char *text, size_t len, size_t next);

/* Does the text end with an end stop, closing quotes and brackets aside? */
bool sentence_is_stopped(const char *text, size_t len);

#endif
