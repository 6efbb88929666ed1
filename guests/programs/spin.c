/*
 * Hint: u32 n. Takes n steps of about six cycles each, then commits the u32 that they ended at.
 * For tests of cycle limits and of cancelling.
 */
#include "sp1.h"

int sp1_main(void)
{
    uint32_t n = sp1_read_u32();
    uint32_t x = 1;
    for (uint32_t i = 0; i < n; i++)
        x = (x * 1664525 + 1013904223) ^ i; /* has no closed form for the compiler to find */
    sp1_commit(&x, sizeof x);
    return SP1_EXIT_OK;
}
