/* Fails: commits nothing and exits with code 7. For tests of what a failing program looks like. */
#include "sp1.h"

int sp1_main(void)
{
    return 7;
}
