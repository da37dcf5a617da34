/* Reports of forks: the contract has checked that two checkpoints exclude each other, not who made them. */
#include <errno.h>

#include "cli/verify_chain.h"

/* The words of ForkReported's data. */
enum { SIZE, ROOT, OTHER_SIZE, OTHER_ROOT, ANCHORED, OTHER_ANCHORED, NOTE, OTHER_NOTE };

typedef struct Side {
        size_t size, root, anchored, note; /* words */
} Side;

/* It is this gateway's: its account anchored it, or its key signed it. */
static bool is_of_gateway(const ChainFinding *f, const ContractEvent *event, const Side *side) {
        const Hash *const keys[] = { &f->gateway.public_key, &f->key };
        char name[ORIGIN_MAX];
        uint64_t size, anchored, epoch;
        Checkpoint c;
        Bytes note;
        Hash root;

        if (contract_event_number(event, side->size, &size) < 0 ||
                        contract_event_hash(event, side->root, &root) < 0 ||
                        contract_event_number(event, side->anchored, &anchored) < 0 ||
                        contract_event_bytes(event, side->note, &note) < 0)
                return false;
        if (anchored)
                return true;
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (checkpoint_open(note, keys[i]->bytes, &c, NULL) == 0 && c.size == size &&
                                hash_equal(&c.root, &root) && origin_split(c.origin, name, &epoch) == 0 &&
                                streq(name, f->name) && epoch == be64_read(event->topics[2].bytes + 24))
                        return true;
        return false;
}

static int on_fork(void *userdata, const ContractEvent *event, Error *e) {
        static const Side sides[] = { { SIZE, ROOT, ANCHORED, NOTE },
                { OTHER_SIZE, OTHER_ROOT, OTHER_ANCHORED, OTHER_NOTE } };
        ChainFinding *f = userdata;
        (void) e;

        if (is_of_gateway(f, event, &sides[0]) && is_of_gateway(f, event, &sides[1]))
                f->forks_shown++;
        return 0;
}

int chain_forks(Contract *c, ChainFinding *f, const Hash *gateway, Error *e) {
        ContractEvents q = { .signature = EVENT_FORK, .gateway = gateway, .fn = on_fork, .userdata = f };
        uint64_t block;

        int r = contract_fork_count(c, gateway, &f->forks, e);
        for (uint64_t i = 0; r == 0 && i < f->forks; i++) {
                r = contract_fork_block(c, gateway, i, &block, e);
                if (r < 0)
                        break;
                if (i > 0 && block == q.first)
                        continue; /* its events were all read at once */
                q.first = q.last = block;
                r = contract_events(c, &q, e);
        }
        return r;
}
