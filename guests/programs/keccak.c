/* Hint: any bytes. Commits their keccak256, 32 bytes, by the machine's Keccak precompile. */
#include "sp1.h"

enum { LANES = 25, RATE = 136, DIGEST = 32 };

static uint64_t lanes[LANES];

static void absorb(uint32_t at, uint8_t byte)
{
    lanes[at / 8] ^= (uint64_t)byte << (at % 8 * 8);
}

int sp1_main(void)
{
    struct sp1_hint hint = sp1_read();
    if (hint.data == NULL)
        return SP1_EXIT_INVALID_HINT;
    uint32_t at = 0;
    for (size_t i = 0; i < hint.len; i++) {
        absorb(at++, hint.data[i]);
        if (at == RATE) {
            sp1_ecall(SP1_KECCAK_PERMUTE, (uint64_t)lanes, 0, 0);
            at = 0;
        }
    }
    absorb(at, 0x01);
    absorb(RATE - 1, 0x80);
    sp1_ecall(SP1_KECCAK_PERMUTE, (uint64_t)lanes, 0, 0);
    sp1_commit(lanes, DIGEST);
    return SP1_EXIT_OK;
}
