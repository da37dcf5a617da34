/* What one item of `coap:` says, for the files of the source. */
#pragma once

#include "ingest/coap.h"
#include "ingest/coap_keys.h"

typedef struct CoapLimits {
        int64_t sessions;       /* of each endpoint; the one that was silent for longest is forgotten */
        int64_t handshakes;     /* in progress; further ones are not answered */
        int64_t outstanding;    /* requests of each endpoint that wait for the disk; further ones get 5.03 */
        int64_t payload;        /* bytes; 4.13 */
        int64_t transfers;      /* block-wise, of each endpoint; 5.03 */
        int64_t peer_transfers; /* of one session; 5.03 */
        int64_t block_bytes;    /* of all transfers; 5.03 */
        double device_rate;     /* requests a second; 4.29 */
        double peer_rate;       /* of an address; 4.29, a tenth as often */
} CoapLimits;

struct CoapOptions {
        SourceOptions common;
        bool plain, secure, observe;
        char *address, *multicast;
        int64_t port;
        char *secure_address;
        int64_t secure_port;
        char *psk_file;         /* path; NULL: no keys */
        char *ca, *cert, *key;  /* paths; NULL: no certificates */
        PskTable *keys;         /* as read with the options; NULL without psk_file */
        const Mapping *mapping; /* NULL: none */
        const MappingSet *maps; /* for those that devices name */
        CoapLimits limits;
};
