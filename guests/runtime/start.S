# The first instructions of every guest: set the global pointer and the stack, then run the program.

    .section .text.start, "ax"
    .globl _start
_start:
    # Relaxation would turn this address into an offset from gp itself.
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop

    li      sp, 0x78000000
    call    sp1_main
    andi    a0, a0, 0xff
    tail    sp1_exit
