/* The file that stands for the chain: one JSON object a line, appended and fsynced, the last line is the
 * chain's head.
 *
 *     {"origin": "ward7/1", "size": 4711, "root": HEX, "note": "...", "time": "2026-11-20T08:15:30.123Z"}
 *
 * The first line of an epoch also has "predecessor": {"origin", "size", "root"}, the last line of the one
 * before. When the file is full it becomes PATH.1 (replacing an older one) and a new one begins with the
 * last line. PATH.lock keeps a second writer out. */
#pragma once

#include <stdbool.h>

#include "ledger/note.h"

enum { ANCHOR_LINE_MAX = 4096 };

typedef struct AnchorFile {
        char *path;
        uint64_t max_bytes;
        int lock;
} AnchorFile;

typedef struct Anchor {
        Checkpoint checkpoint;
        char note[NOTE_TEXT_MAX];
        uint64_t offset; /* of its line in the file */
} Anchor;

/* -EBUSY where another process has it. anchor_file_close() also after a failure. */
int anchor_file_open(AnchorFile *f, const char *path, uint64_t max_bytes, Error *e) _must_check_;
void anchor_file_close(AnchorFile *f);

/* The last line; -ENOENT where there is none, -EUCLEAN where it is damaged. What a crash left half
 * written is cut off: it was never acknowledged. */
int anchor_file_last(const AnchorFile *f, Anchor *ret, Error *e) _must_check_;
/* Durable on 0; on failure the file is as it was. predecessor may be NULL. ret_offset: where the line
 * begins. */
int anchor_file_append(const AnchorFile *f, const Checkpoint *c, const char *note,
                const Checkpoint *predecessor, uint64_t *ret_offset, Error *e) _must_check_;
