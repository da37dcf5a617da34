#include "keccak.h"

/* The Keccak reference, 1.2: five steps on 25 lanes, 24 rounds; a rate of 136 bytes leaves a capacity of 512 bits. */
enum { LANES = 25, ROUNDS = 24, RATE = 136 };

static uint64_t rotate(uint64_t v, unsigned n) {
        return v << n | v >> (-n & 63);
}

static void permute(uint64_t a[static LANES]) {
        static const uint64_t constants[ROUNDS] = { 0x0000000000000001, 0x0000000000008082,
                0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
                0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
                0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b,
                0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
                0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080,
                0x0000000080000001, 0x8000000080008008 };
        uint64_t c[5];

        for (unsigned round = 0; round < ROUNDS; round++) {
                for (unsigned x = 0; x < 5; x++) /* theta */
                        c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
                for (unsigned i = 0; i < LANES; i++)
                        a[i] ^= c[(i + 4) % 5] ^ rotate(c[(i + 1) % 5], 1);
                uint64_t moved = a[1]; /* rho and pi: lane (x, y) goes to (y, 2x + 3y) */
                for (unsigned t = 0, x = 1, y = 0; t < ROUNDS; t++) {
                        unsigned next = (2 * x + 3 * y) % 5;
                        x = y;
                        y = next;
                        uint64_t kept = a[x + 5 * y];
                        a[x + 5 * y] = rotate(moved, (t + 1) * (t + 2) / 2 % 64);
                        moved = kept;
                }
                for (unsigned y = 0; y < LANES; y += 5) { /* chi */
                        memcpy(c, a + y, sizeof c);
                        for (unsigned x = 0; x < 5; x++)
                                a[y + x] = c[x] ^ (~c[(x + 1) % 5] & c[(x + 2) % 5]);
                }
                a[0] ^= constants[round]; /* iota */
        }
}

static void absorb(uint64_t a[static LANES], const uint8_t block[static RATE]) {
        for (unsigned i = 0; i < RATE / 8; i++)
                a[i] ^= __builtin_bswap64(be64_read(block + 8 * (size_t) i)); /* lanes are little-endian */
        permute(a);
}

void keccak256(Bytes data, Hash *ret) {
        uint64_t a[LANES] = { 0 };
        uint8_t last[RATE] = { 0 };

        for (; data.len >= RATE; data = BYTES(data.data + RATE, data.len - RATE))
                absorb(a, data.data);
        if (data.len > 0)
                memcpy(last, data.data, data.len);
        last[data.len] ^= 0x01; /* FIPS 202 would have 0x06 */
        last[RATE - 1] ^= 0x80;
        absorb(a, last);
        for (unsigned i = 0; i < SHA256_SIZE / 8; i++)
                be64_write(ret->bytes + 8 * (size_t) i, __builtin_bswap64(a[i]));
}
