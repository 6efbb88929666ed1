/*
 * A small C interface to the SP1 6 virtual machine (RISC-V rv64im, no operating system).
 *
 * A program defines `int sp1_main(void)`. What it returns is the exit code of the run: 0 is success.
 * The runtime calls it and ends the run with the two digests that every proof must carry.
 */
#ifndef SP1_H
#define SP1_H

#include <stddef.h>
#include <stdint.h>

/* Numbers of the system calls, passed in t0. */
enum {
    SP1_HALT = 0x00,            /* a0: exit code */
    SP1_WRITE = 0x02,           /* a0: file descriptor, a1: bytes, a2: their length */
    SP1_COMMIT = 0x10,          /* a0: index 0..7, a1: word of the public values' digest */
    SP1_COMMIT_DEFERRED = 0x1A, /* a0: index 0..7, a1: element of the deferred proofs' digest */
    SP1_HINT_LEN = 0xF0,        /* returns the length of the next hint in t0 */
    SP1_HINT_READ = 0xF1,       /* a0: where to, a1: the length that HINT_LEN returned */
    SP1_SHA_EXTEND = 0x00300105,    /* a0: 64 message words, 32 bits in each u64 */
    SP1_SHA_COMPRESS = 0x00010106,  /* a0: 64 message words, a1: 8 words of state, both as above */
    SP1_KECCAK_PERMUTE = 0x00010109 /* a0: 25 lanes of 64 bits */
};

/* File descriptors of SP1_WRITE. */
enum { SP1_STDOUT = 1, SP1_PUBLIC_VALUES = 13 };

/* Exit codes that have a meaning beyond "not zero". */
enum { SP1_EXIT_OK = 0, SP1_EXIT_INVALID_HINT = 3 };

/* One hint: an entry of the stdin. `data` is NULL when there is no hint left. */
struct sp1_hint {
    const uint8_t *data;
    size_t len;
};

/* The machine reads t0 and a0 to a2, and changes nothing but t0 and memory. */
static inline uint64_t sp1_ecall(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
    register uint64_t t0 __asm__("t0") = number;
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    __asm__ volatile("ecall" : "+r"(t0) : "r"(a0), "r"(a1), "r"(a2) : "memory");
    return t0;
}

/* Takes the next hint off the stdin. The bytes are 8-aligned and stay valid until the end. */
struct sp1_hint sp1_read(void);

/* Takes the next hint, which must be a u32 in little-endian order; ends the run otherwise. */
uint32_t sp1_read_u32(void);

/* Appends bytes to the public values. */
void sp1_commit(const void *bytes, size_t len);

/* Commits to the public values and ends the run with this exit code. */
__attribute__((noreturn)) void sp1_exit(uint32_t code);

/* The program. */
int sp1_main(void);

#endif
