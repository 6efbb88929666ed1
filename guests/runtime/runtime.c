#include "sha256.h"
#include "sp1.h"

/*
 * Hints go to memory that is never reused: the proof fails if a word that HINT_READ fills was
 * touched before. The machine reserves 0x1C_0000_0000 to 0x20_0000_0000 for that.
 */
static uint64_t next_hint = 0x1C00000000;

/* The proof carries the digest of all public values, so they are hashed as they are committed. */
static struct sha256 public_values;
static int hashing;

struct sp1_hint sp1_read(void)
{
    struct sp1_hint hint = {NULL, 0};
    uint64_t len = sp1_ecall(SP1_HINT_LEN, 0, 0, 0);
    if (len == UINT64_MAX)
        return hint;
    hint.data = (const uint8_t *)next_hint;
    hint.len = len;
    sp1_ecall(SP1_HINT_READ, next_hint, len, 0);
    next_hint += (len / 8 + 1) * 8; /* one word more than the bytes need is written */
    return hint;
}

uint32_t sp1_read_u32(void)
{
    struct sp1_hint hint = sp1_read();
    if (hint.data == NULL || hint.len != sizeof(uint32_t))
        sp1_exit(SP1_EXIT_INVALID_HINT);
    return *(const uint32_t *)hint.data;
}

static struct sha256 *hasher(void)
{
    if (!hashing) {
        sha256_init(&public_values);
        hashing = 1;
    }
    return &public_values;
}

void sp1_commit(const void *bytes, size_t len)
{
    sp1_ecall(SP1_WRITE, SP1_PUBLIC_VALUES, (uint64_t)bytes, len);
    sha256_update(hasher(), bytes, len);
}

void sp1_exit(uint32_t code)
{
    uint32_t digest[SHA256_WORDS];
    sha256_finish(hasher(), digest);
    /* The machine takes the digest's bytes four at a time in little-endian order. */
    for (int i = 0; i < SHA256_WORDS; i++)
        sp1_ecall(SP1_COMMIT, i, __builtin_bswap32(digest[i]), 0);
    /* No proof is verified inside these guests: the deferred digest is zero, and still must be there. */
    for (int i = 0; i < SHA256_WORDS; i++)
        sp1_ecall(SP1_COMMIT_DEFERRED, i, 0, 0);
    sp1_ecall(SP1_HALT, code, 0, 0);
    __builtin_unreachable();
}

/* The compiler may call these on its own. */
void *memcpy(void *to, const void *from, size_t len)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    while (len--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int byte, size_t len)
{
    uint8_t *t = to;
    while (len--)
        *t++ = (uint8_t)byte;
    return to;
}
