#include "sha256.h"

#include "sp1.h"

enum { SCHEDULE_WORDS = 64, MESSAGE_WORDS = 16, LENGTH_AT = 56 };

static const uint32_t INITIAL_STATE[SHA256_WORDS] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* Message schedule: the precompile reads the first 16 words and fills in the other 48. */
static uint64_t schedule[SCHEDULE_WORDS];

static void compress(struct sha256 *sha)
{
    const uint8_t *at = sha->block;
    for (int i = 0; i < MESSAGE_WORDS; i++, at += 4)
        schedule[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    sp1_ecall(SP1_SHA_EXTEND, (uint64_t)schedule, 0, 0);
    sp1_ecall(SP1_SHA_COMPRESS, (uint64_t)schedule, (uint64_t)sha->state, 0);
}

static void push(struct sha256 *sha, uint8_t byte)
{
    sha->block[sha->total++ % SHA256_BLOCK] = byte;
    if (sha->total % SHA256_BLOCK == 0)
        compress(sha);
}

void sha256_init(struct sha256 *sha)
{
    for (int i = 0; i < SHA256_WORDS; i++)
        sha->state[i] = INITIAL_STATE[i];
    sha->total = 0;
}

void sha256_update(struct sha256 *sha, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len--)
        push(sha, *at++);
}

void sha256_finish(struct sha256 *sha, uint32_t out[SHA256_WORDS])
{
    uint64_t bits = sha->total * 8;
    push(sha, 0x80);
    while (sha->total % SHA256_BLOCK != LENGTH_AT)
        push(sha, 0);
    for (int shift = 56; shift >= 0; shift -= 8)
        push(sha, (uint8_t)(bits >> shift));
    for (int i = 0; i < SHA256_WORDS; i++)
        out[i] = (uint32_t)sha->state[i];
}
