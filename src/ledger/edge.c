#include "ledger/edge.h"

#include <errno.h>

#include "ledger/run.h"

static unsigned row_length(uint64_t size, unsigned level) {
        return (unsigned) (size >> (TILE_HEIGHT * level) & (TILE_WIDTH - 1));
}

unsigned edge_append(Edge *e, const Hash *leaf) {
        const Frontier *f = &e->frontier;
        unsigned level = 0, peak = f->count;
        Hash h = *leaf;

        for (;; level++) {
                unsigned n = row_length(f->size, level);
                e->rows[level][n] = h;
                if (n < TILE_WIDTH - 1 || level == TILE_LEVELS - 1)
                        break;
                /* The tile is full: its eight peaks and the newest hash make its root. The frontier hashes the same
                 * nodes once more, eight of 256. */
                for (unsigned i = 0; i < TILE_HEIGHT; i++)
                        merkle_node(&f->peaks[--peak], &h, &h);
        }
        frontier_append(&e->frontier, leaf);
        return level;
}

void edge_copy(Edge *to, const Edge *from) {
        to->frontier.size = from->frontier.size;
        to->frontier.count = from->frontier.count;
        memcpy(to->frontier.peaks, from->frontier.peaks, from->frontier.count * sizeof(Hash));
        for (unsigned i = 0; i < TILE_LEVELS; i++)
                memcpy(to->rows[i], from->rows[i], row_length(from->frontier.size, i) * sizeof(Hash));
}

StoreKey tile_key(unsigned level, uint64_t index) {
        return (StoreKey){
                .index = ((index + 1) << (TILE_HEIGHT * (level + 1))) - 1,
                .kind = (uint8_t) (RECORD_TILE + level),
        };
}

int tile_load(Store *s, unsigned level, uint64_t index, Hash ret[static TILE_WIDTH], Error *e) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t len;

        int r = store_get(s, tile_key(level, index), &data, &len, e);
        if (r < 0)
                return r == -ENOENT ? error_prefix(e, -EBADMSG, "a tile is missing") : r;
        if (len != TILE_WIDTH * sizeof(Hash))
                return error_set(e, -EBADMSG, "tile %u/%llu: %zu bytes", level, (unsigned long long) index,
                                len);
        memcpy(ret, data, len);
        return 0;
}

void tile_root(const Hash *hashes, unsigned height, Hash *ret) {
        Frontier f = { 0 };

        for (unsigned i = 0; i < 1U << height; i++)
                frontier_append(&f, &hashes[i]);
        *ret = f.peaks[0];
}

/* --- loading --- */

static int load_leaves(Store *s, uint64_t size, Edge *edge, Error *e) {
        RunCursor c;
        EntryView v;

        int r = run_cursor_open(&c, s);
        for (uint64_t i = size - row_length(size, 0); r == 0 && i < size; i++) {
                r = run_cursor_get(&c, i, &v, e);
                if (r == 0)
                        view_leaf(&v, &edge->rows[0][i % TILE_WIDTH]);
        }
        run_cursor_done(&c);
        return r == -ENOENT ? -EBADMSG : r;
}

static int load_row(Store *s, uint64_t size, unsigned level, Edge *edge, Error *e) {
        uint64_t full = size >> (TILE_HEIGHT * level); /* tiles of the level below */
        unsigned n = row_length(size, level);
        Hash tile[TILE_WIDTH];

        for (unsigned i = 0; i < n; i++) {
                int r = tile_load(s, level - 1, full - n + i, tile, e);
                if (r < 0)
                        return r;
                tile_root(tile, TILE_HEIGHT, &edge->rows[level][i]);
        }
        return 0;
}

/* Peaks, largest first, are what the set bits of each row's length say. */
static void build_frontier(Edge *e, uint64_t size) {
        e->frontier = (Frontier){ .size = size };
        for (unsigned level = TILE_LEVELS; level-- > 0;) {
                unsigned n = row_length(size, level), at = 0;
                for (unsigned bit = TILE_HEIGHT; bit-- > 0;) {
                        if (!(n >> bit & 1))
                                continue;
                        tile_root(&e->rows[level][at], bit, &e->frontier.peaks[e->frontier.count++]);
                        at += 1U << bit;
                }
        }
}

int edge_load(Store *s, uint64_t size, Edge *ret, Error *e) {
        int r = load_leaves(s, size, ret, e);

        for (unsigned level = 1; r == 0 && level < TILE_LEVELS; level++)
                r = load_row(s, size, level, ret, e);
        if (r == 0)
                build_frontier(ret, size);
        return r;
}

/* --- nodes --- */

/* Whether the node's hashes lie in the row being filled; then they are copied. */
static bool copy_row(TileSource *s, unsigned level, uint64_t first, size_t n, Hash *ret) {
        if (s->lock)
                (void) pthread_mutex_lock(s->lock);
        bool filling = first >> TILE_HEIGHT ==
                       s->edge->frontier.size >> (TILE_HEIGHT * level) >> TILE_HEIGHT;
        if (filling)
                memcpy(ret, &s->edge->rows[level][first % TILE_WIDTH], n * sizeof(Hash));
        if (s->lock)
                (void) pthread_mutex_unlock(s->lock);
        return filling;
}

int tile_source_node(void *userdata, unsigned level, uint64_t index, Hash *ret) {
        TileSource *s = userdata;
        unsigned tile_level = level / TILE_HEIGHT, height = level % TILE_HEIGHT;
        uint64_t first = index << height, tile = first >> TILE_HEIGHT;
        Hash row[TILE_WIDTH];

        if (tile_level >= TILE_LEVELS)
                return error_set(&s->error, -ERANGE, "no node %u/%llu", level, (unsigned long long) index);
        if (copy_row(s, tile_level, first, (size_t) 1 << height, row)) {
                tile_root(row, height, ret);
                return 0;
        }
        if (!s->loaded || s->level != tile_level || s->index != tile) {
                s->loaded = false;
                int r = tile_load(s->store, tile_level, tile, s->tile, &s->error);
                if (r < 0)
                        return r;
                s->loaded = true;
                s->level = tile_level;
                s->index = tile;
        }
        tile_root(&s->tile[first % TILE_WIDTH], height, ret);
        return 0;
}
