#include "board.h"

#include <pthread.h>
#include <sodium.h>

#include "base/sha256.h"

struct Board {
        pthread_mutex_t lock;
        json_t *shown; /* by id: the payload's hash in hex */
};

Board *board_new(void) {
        Board *b = calloc(1, sizeof *b);

        if (!b)
                return NULL;
        (void) pthread_mutex_init(&b->lock, NULL);
        b->shown = json_object();
        return b->shown ? b : board_free(b);
}

Board *board_free(Board *b) {
        if (!b)
                return NULL;
        json_decref(b->shown);
        (void) pthread_mutex_destroy(&b->lock);
        free(b);
        return NULL;
}

void board_forget(Board *b) {
        (void) pthread_mutex_lock(&b->lock);
        (void) json_object_clear(b->shown);
        (void) pthread_mutex_unlock(&b->lock);
}

static void digest(Bytes payload, char ret[static 2 * SHA256_SIZE + 1]) {
        Hash hash;

        sha256(payload, &hash);
        (void) sodium_bin2hex(ret, 2 * SHA256_SIZE + 1, hash.bytes, sizeof hash.bytes);
}

void board_set(Board *b, const char *id, Bytes payload) {
        char hash[2 * SHA256_SIZE + 1];

        if (strlen(id) > BOARD_ID_MAX)
                return;
        digest(payload, hash);
        (void) pthread_mutex_lock(&b->lock);
        if (payload.len == 0)
                (void) json_object_del(b->shown, id);
        else if (json_object_size(b->shown) < BOARD_MAX || json_object_get(b->shown, id))
                (void) json_object_set_new(b->shown, id, json_string(hash));
        (void) pthread_mutex_unlock(&b->lock);
}

bool board_shows(Board *b, const char *id, const char *payload) {
        char hash[2 * SHA256_SIZE + 1];

        digest(BYTES_STRING(payload), hash);
        (void) pthread_mutex_lock(&b->lock);
        const char *shown = json_string_value(json_object_get(b->shown, id));
        bool same = shown && streq(shown, hash);
        (void) pthread_mutex_unlock(&b->lock);
        return same;
}

json_t *board_beyond(Board *b, const json_t *kept, size_t max) {
        json_t *ids = json_array(), *value;
        const char *id;

        (void) pthread_mutex_lock(&b->lock);
        json_object_foreach(b->shown, id, value) {
                if (json_array_size(ids) == max)
                        break;
                if (!json_object_get(kept, id))
                        (void) json_array_append_new(ids, json_string(id));
        }
        (void) pthread_mutex_unlock(&b->lock);
        return ids;
}
