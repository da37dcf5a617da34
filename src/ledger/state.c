/* A record: flags, pruned size; streams (number, name, where all: next sequence); keys; items (name, 0 for deleted or
 * value's length plus one, value). Each of the three has its count in front. */
#include "ledger/state.h"

#include <errno.h>
#include <stdio.h>

enum { RECORD_IS_ALL = 1 };

void state_done(State *s) {
        for (size_t i = 0; i < s->item_count; i++) {
                free(s->items[i].key);
                free(s->items[i].value);
        }
        free(s->items);
        free(s->streams);
        free(s->keys);
        free(s->key_slots);
        *s = (State){ 0 };
}

/* --- streams --- */

StreamRow *state_stream(State *s, uint32_t number) {
        if (number >= STREAMS_MAX)
                return NULL;
        if (number >= s->stream_room) {
                size_t room = MAX((size_t) 64, 2 * (size_t) number);
                StreamRow *grown = realloc(s->streams, room * sizeof *grown);
                if (!grown)
                        return NULL;
                s->streams = grown;
                s->stream_room = room;
        }
        for (; s->stream_count <= number; s->stream_count++)
                s->streams[s->stream_count] = (StreamRow){ .block = NOT_IN_BLOCK };
        return &s->streams[number];
}

/* --- keys --- */

/* Key ids are random, so any part of one is its hash. */
static size_t first_slot(const State *s, const KeyId *id) {
        return be32_read(id->bytes) & (2 * s->key_room - 1);
}

static void index_key(State *s, size_t row) {
        size_t i = first_slot(s, &s->keys[row].id);

        while (s->key_slots[i] != 0)
                i = (i + 1) & (2 * s->key_room - 1);
        s->key_slots[i] = (uint32_t) row + 1;
}

KeyRow *state_find_key(const State *s, const KeyId *id) {
        if (s->key_room == 0)
                return NULL;
        for (size_t i = first_slot(s, id); s->key_slots[i] != 0; i = (i + 1) & (2 * s->key_room - 1)) {
                KeyRow *row = &s->keys[s->key_slots[i] - 1];
                if (memcmp(&row->id, id, sizeof *id) == 0)
                        return row;
        }
        return NULL;
}

static int grow_keys(State *s) {
        size_t room = s->key_room ? 2 * s->key_room : 64;
        _cleanup_free_ uint32_t *slots = calloc(2 * room, sizeof *slots);
        KeyRow *grown = realloc(s->keys, room * sizeof *grown);

        if (grown)
                s->keys = grown;
        if (!grown || !slots)
                return -ENOMEM;
        free(s->key_slots);
        s->key_slots = TAKE(slots);
        s->key_room = room;
        for (size_t i = 0; i < s->key_count; i++)
                index_key(s, i);
        return 0;
}

int state_add_key(State *s, const KeyId *id, KeyRow **ret) {
        if (s->key_count == s->key_room) {
                int r = grow_keys(s);
                if (r < 0)
                        return r;
        }
        s->keys[s->key_count] = (KeyRow){ .id = *id, .block = NOT_IN_BLOCK };
        index_key(s, s->key_count);
        *ret = &s->keys[s->key_count++];
        return 0;
}

void state_forget_keys(State *s) {
        s->key_count = 0;
        if (s->key_slots)
                memset(s->key_slots, 0, 2 * s->key_room * sizeof *s->key_slots);
}

void state_drop_keys(State *s, bool (*gone)(void *userdata, const KeyId *id), void *userdata) {
        size_t kept = 0;

        for (size_t i = 0; i < s->key_count; i++)
                if (!gone(userdata, &s->keys[i].id))
                        s->keys[kept++] = s->keys[i];
        if (kept == s->key_count)
                return;
        s->key_count = kept;
        memset(s->key_slots, 0, 2 * s->key_room * sizeof *s->key_slots);
        for (size_t i = 0; i < kept; i++)
                index_key(s, i);
}

/* --- items --- */

/* Where the key is, or would be. */
static size_t item_position(const State *s, const char *key, bool *ret_found) {
        size_t low = 0, high = s->item_count;

        *ret_found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(s->items[middle].key, key);
                if (c == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int insert_item(State *s, size_t at, const char *key) {
        if (s->item_count == s->item_room) {
                size_t room = s->item_room ? 2 * s->item_room : 64;
                StateItem *grown = realloc(s->items, room * sizeof *grown);
                if (!grown)
                        return -ENOMEM;
                s->items = grown;
                s->item_room = room;
        }
        char *copy = strdup(key);
        if (!copy)
                return -ENOMEM;
        memmove(&s->items[at + 1], &s->items[at], (s->item_count - at) * sizeof *s->items);
        s->items[at] = (StateItem){ .key = copy };
        s->item_count++;
        return 0;
}

static void remove_item(State *s, size_t at) {
        s->value_count -= s->items[at].value != NULL;
        free(s->items[at].key);
        free(s->items[at].value);
        s->item_count--;
        memmove(&s->items[at], &s->items[at + 1], (s->item_count - at) * sizeof *s->items);
}

static int set_item(State *s, const char *key, const Bytes *value, bool changed) {
        _cleanup_free_ uint8_t *copy = NULL;
        bool found;
        size_t i = item_position(s, key, &found);
        bool had = found && s->items[i].value;

        /* of a block that is sealed nobody is to be told any more */
        if (!value && !changed) {
                if (found)
                        remove_item(s, i);
                return 0;
        }
        if (value && !had && s->value_count >= STATE_ITEMS_MAX)
                return -ENOSPC;
        if (value) {
                copy = malloc(value->len + 1);
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, value->data, value->len);
        }
        if (!found) {
                int r = insert_item(s, i, key);
                if (r < 0)
                        return r;
        }
        free(s->items[i].value);
        s->value_count += (size_t) (value != NULL) - (size_t) had;
        s->items[i].value = TAKE(copy);
        s->items[i].len = value ? value->len : 0;
        s->items[i].changed |= changed;
        return 0;
}

/* --- records --- */

void state_pack_stream(Pack *to, uint32_t number, const char *device) {
        pack_uint(to, number);
        pack_counted(to, BYTES_STRING(device));
}

void state_pack_item(Pack *to, const char *key, Bytes value) {
        pack_counted(to, BYTES_STRING(key));
        pack_uint(to, value.len > 0 ? value.len + 1 : 0);
        pack_raw(to, value);
}

void state_pack_changes(Pack *to, uint64_t pruned_size, size_t streams, Bytes packed_streams, size_t items,
                Bytes packed_items) {
        pack_uint(to, 0);
        pack_uint(to, pruned_size);
        pack_uint(to, streams);
        pack_raw(to, packed_streams);
        pack_uint(to, 0); /* keys are known by their KEY entries */
        pack_uint(to, items);
        pack_raw(to, packed_items);
}

void state_pack(const State *s, bool all, Pack *to) {
        size_t streams = 0, keys = 0, items = 0;

        for (size_t i = 0; i < s->stream_count; i++)
                streams += all || s->streams[i].changed;
        for (size_t i = 0; i < s->key_count; i++)
                keys += s->keys[i].known && (all || s->keys[i].changed);
        for (size_t i = 0; i < s->item_count; i++)
                items += all ? s->items[i].value != NULL : s->items[i].changed;

        pack_uint(to, all ? RECORD_IS_ALL : 0);
        pack_uint(to, s->pruned_size);
        pack_uint(to, streams);
        for (size_t i = 0; i < s->stream_count; i++) {
                if (!all && !s->streams[i].changed)
                        continue;
                state_pack_stream(to, (uint32_t) i, s->streams[i].device);
                if (all)
                        pack_uint(to, s->streams[i].next);
        }
        pack_uint(to, keys);
        for (size_t i = 0; i < s->key_count; i++)
                if (s->keys[i].known && (all || s->keys[i].changed))
                        pack_raw(to, BYTES(s->keys[i].id.bytes, KEY_ID_SIZE));
        pack_uint(to, items);
        for (size_t i = 0; i < s->item_count; i++)
                if (all ? s->items[i].value != NULL : s->items[i].changed)
                        state_pack_item(to, s->items[i].key, BYTES(s->items[i].value, s->items[i].len));
}

void state_settle(State *s) {
        size_t kept = 0;

        for (size_t i = 0; i < s->stream_count; i++)
                s->streams[i].changed = false;
        for (size_t i = 0; i < s->key_count; i++)
                s->keys[i].changed = false;
        for (size_t i = 0; i < s->item_count; i++) {
                s->items[i].changed = false;
                if (s->items[i].value)
                        s->items[kept++] = s->items[i];
                else
                        free(s->items[i].key);
        }
        s->item_count = kept;
}

static int take_text(Unpack *u, char *ret, size_t size) {
        Bytes b = unpack_counted(u);

        if (u->failed || b.len >= size || memchr(b.data, 0, b.len))
                return -EBADMSG;
        memcpy(ret, b.data, b.len);
        ret[b.len] = '\0';
        return 0;
}

static int apply_stream(State *s, Unpack *u, bool all, bool changed) {
        uint64_t number = unpack_uint(u);
        char device[NAME_MAX_LENGTH];

        if (take_text(u, device, sizeof device) < 0 || number >= STREAMS_MAX)
                return -EBADMSG;
        StreamRow *row = state_stream(s, (uint32_t) number);
        if (!row)
                return -ENOMEM;
        (void) snprintf(row->device, sizeof row->device, "%s", device);
        row->changed |= changed;
        if (all)
                row->next = unpack_uint(u);
        return 0;
}

static int apply_key(State *s, Unpack *u, bool changed) {
        Bytes b = unpack_raw(u, KEY_ID_SIZE);
        KeyId id;

        if (u->failed)
                return -EBADMSG;
        memcpy(id.bytes, b.data, KEY_ID_SIZE);
        KeyRow *row = state_find_key(s, &id);
        if (!row) {
                int r = state_add_key(s, &id, &row);
                if (r < 0)
                        return r;
        }
        row->known = true;
        row->changed |= changed;
        return 0;
}

static int apply_item(State *s, Unpack *u, bool changed) {
        char key[STATE_KEY_MAX];

        if (take_text(u, key, sizeof key) < 0)
                return -EBADMSG;
        uint64_t n = unpack_uint(u);
        if (n == 0)
                return u->failed ? -EBADMSG : set_item(s, key, NULL, changed);
        Bytes value = unpack_raw(u, n - 1);
        return u->failed ? -EBADMSG : set_item(s, key, &value, changed);
}

int state_apply(State *s, Bytes record, bool changed) {
        Unpack u = unpack(record);
        uint64_t flags = unpack_uint(&u), n;
        int r = 0;

        if (flags & RECORD_IS_ALL)
                state_done(s);
        s->pruned_size = unpack_uint(&u);
        n = unpack_count(&u, 2);
        for (uint64_t i = 0; r == 0 && i < n; i++)
                r = apply_stream(s, &u, flags & RECORD_IS_ALL, changed);
        n = unpack_count(&u, KEY_ID_SIZE);
        for (uint64_t i = 0; r == 0 && i < n; i++)
                r = apply_key(s, &u, changed);
        n = unpack_count(&u, 2);
        for (uint64_t i = 0; r == 0 && i < n; i++)
                r = apply_item(s, &u, changed);
        if (r == 0 && (u.failed || u.len > 0))
                return -EBADMSG;
        return r;
}
