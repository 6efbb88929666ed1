/* A CUDA driver (libcuda.so) without a device behind it: it answers what its environment says. CUresult is an int, 0 if all is well. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long long number(const char *name, long long otherwise) {
    const char *text = getenv(name);
    return text ? atoll(text) : otherwise;
}

static void hang(const char *where) {
    const char *here = getenv("FAKE_HANGS");
    while (here && !strcmp(here, where))
        pause();
}

int cuInit(unsigned flags) {
    hang("start");
    return (int)number("FAKE_INIT", 0);
}

int cuDriverGetVersion(int *version) {
    *version = (int)number("FAKE_VERSION", 13010);
    return 0;
}

int cuDeviceGetCount(int *count) {
    *count = (int)number("FAKE_COUNT", 1);
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
    hang("context");
    *context = (void *)1;
    return (int)number("FAKE_CONTEXT", 0);
}

int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }

int cuCtxGetCurrent(void **context) {
    *context = NULL;
    return 0;
}

int cuCtxSetCurrent(void *context) { return 0; }

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) {
    case 75: /* COMPUTE_CAPABILITY_MAJOR */
        *value = (int)number("FAKE_MAJOR", 9);
        return 0;
    case 76: /* COMPUTE_CAPABILITY_MINOR */
        *value = 0;
        return 0;
    case 115: /* MEMORY_POOLS_SUPPORTED */
        *value = (int)number("FAKE_POOLS", 1);
        return 0;
    default:
        return 1; /* INVALID_VALUE */
    }
}

int cuMemGetInfo_v2(size_t *unused, size_t *total) {
    *total = 80ULL << 30;
    *unused = (size_t)number("FAKE_FREE_GIB", 79) << 30;
    return (int)number("FAKE_MEMORY", 0);
}

int cuDeviceGetName(char *name, int size, int device) {
    snprintf(name, (size_t)size, "Fake %d", device);
    return 0;
}

int cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
    for (int i = 0; i < 16; i++)
        uuid[i] = (unsigned char)(i * 17);
    return 0;
}

int cuGetErrorName(int error, const char **name) {
    *name = error == 214 ? "CUDA_ERROR_ECC_UNCORRECTABLE" : "CUDA_ERROR";
    return 0;
}

int cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }
