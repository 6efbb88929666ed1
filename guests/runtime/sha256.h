/* SHA-256 over a stream of bytes, by the machine's two SHA precompiles. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BLOCK = 64, SHA256_WORDS = 8 };

struct sha256 {
    uint64_t state[SHA256_WORDS]; /* the precompile keeps 32 bits in each u64 */
    uint64_t total;               /* bytes taken so far */
    uint8_t block[SHA256_BLOCK];  /* those of the unfinished block */
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *bytes, size_t len);

/* The digest as 8 words in big-endian order: the first byte of the digest is the top byte of out[0]. */
void sha256_finish(struct sha256 *sha, uint32_t out[SHA256_WORDS]);

#endif
