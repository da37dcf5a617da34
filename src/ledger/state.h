/* What the ledger knows beside the log: streams and their next sequences, which keys have their KEY entry, small items of
 * others (assignments, active alerts), and how far bodies are pruned.
 *
 * It is kept in the store as changes: with each batch, again with each block, and whole with every 64th block, so that
 * reading it back takes at most 64 blocks. It is convenience, not evidence: what matters of it is in entries. */
#pragma once

#include "ledger/entry.h"
#include "store/pack.h"
#include "store/store.h"

enum {
        STATE_KEY_MAX = 160, /* with the NUL */
        STATE_VALUE_MAX = 4096,
        STATE_ITEMS_MAX = 32768, /* at a time */
        STREAMS_MAX = 16384,
};

#define NOT_IN_BLOCK UINT64_MAX

typedef struct StreamRow {
        char device[NAME_MAX_LENGTH];
        uint64_t next;  /* sequence */
        uint64_t block; /* height of the block that it was last in, NOT_IN_BLOCK for none */
        bool changed;   /* named in the open block */
} StreamRow;

typedef struct KeyRow {
        KeyId id;
        uint64_t block;
        uint32_t first, last, count; /* positions in the open block, where block says that it is in it */
        bool known;                  /* has its KEY entry */
        bool changed;
} KeyRow;

typedef struct StateItem {
        char *key;
        uint8_t *value; /* NULL: deleted in the open block */
        size_t len;
        bool changed;
} StateItem;

typedef struct State {
        StreamRow *streams; /* the row is the stream's number; row 0 is the gateway's own */
        size_t stream_count, stream_room;
        KeyRow *keys;
        size_t key_count, key_room;
        uint32_t *key_slots; /* open addressing, 2 * key_room slots of row number plus one */
        StateItem *items;    /* in order of their keys */
        size_t item_count, item_room, value_count; /* value_count: of those that are not deleted */
        uint64_t pruned_size;
} State;

void state_done(State *s);

/* The stream's row, made where it is new. NULL: no memory, or a number beyond STREAMS_MAX. */
StreamRow *state_stream(State *s, uint32_t number);
KeyRow *state_find_key(const State *s, const KeyId *id);
int state_add_key(State *s, const KeyId *id, KeyRow **ret) _must_check_;
/* Forgets keys for which gone() says so. */
void state_drop_keys(State *s, bool (*gone)(void *userdata, const KeyId *id), void *userdata);
void state_forget_keys(State *s);

/* Records: what changed in the open block, or all. */
void state_pack(const State *s, bool all, Pack *to);
/* After the block's record: nothing is changed now. */
void state_settle(State *s);
/* Takes a record in. changed: as a change of the open block. -EBADMSG, -ENOMEM. */
int state_apply(State *s, Bytes record, bool changed) _must_check_;

/* The parts of a record that a batch makes by itself. */
void state_pack_stream(Pack *to, uint32_t number, const char *device);
void state_pack_item(Pack *to, const char *key, Bytes value); /* empty: deleted */
void state_pack_changes(Pack *to, uint64_t pruned_size, size_t streams, Bytes packed_streams, size_t items,
                Bytes packed_items);
