/* The tree's right edge in memory, its full tiles in the store.
 *
 * A tile of level t holds the roots of 256 subtrees of 256^t leaves each. Tiles go to the store when they are full; of
 * each level, the one being filled is a row here. */
#pragma once

#include <pthread.h>

#include "ledger/merkle.h"
#include "store/store.h"

typedef struct Edge {
        Frontier frontier;
        Hash rows[TILE_LEVELS][TILE_WIDTH]; /* of row t, (size >> 8t) % 256 hashes count */
} Edge;

/* Returns how many tiles are full now: rows 0 and up, which the next leaf begins anew. */
unsigned edge_append(Edge *e, const Hash *leaf);
/* Copies what counts. */
void edge_copy(Edge *to, const Edge *from);
/* The edge of the store's first `size` entries. Reads at most 256 leaves and 255 tiles of each level. */
int edge_load(Store *s, uint64_t size, Edge *ret, Error *e) _must_check_;

int tile_load(Store *s, unsigned level, uint64_t index, Hash ret[static TILE_WIDTH], Error *e) _must_check_;
StoreKey tile_key(unsigned level, uint64_t index);
/* The root of 2^height <= 256 hashes of one tile. */
void tile_root(const Hash *hashes, unsigned height, Hash *ret);

/* A NodeSource over both. */
typedef struct TileSource {
        Store *store;
        const Edge *edge;
        pthread_mutex_t *lock; /* held while looking at the edge; may be NULL */
        Error error;           /* says what failed */
        bool loaded;           /* the tile read last: proofs look at some twice */
        unsigned level;
        uint64_t index;
        Hash tile[TILE_WIDTH];
} TileSource;

int tile_source_node(void *userdata, unsigned level, uint64_t index, Hash *ret) _must_check_;
