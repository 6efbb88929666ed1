/* Hint: u32 n. Commits n, F(n) and F(n+1) modulo 7919, three u32 in little-endian order. */
#include "sp1.h"

enum { MODULUS = 7919 };

int sp1_main(void)
{
    uint32_t n = sp1_read_u32();
    uint32_t a = 0;
    uint32_t b = 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t next = (a + b) % MODULUS;
        a = b;
        b = next;
    }
    uint32_t values[] = {n, a, b};
    sp1_commit(values, sizeof values);
    return SP1_EXIT_OK;
}
